// gorilla/websocket, as its own example echoes: default buffers, a goroutine for each connection.
// GOMAXPROCS is left at its default, so that it uses all cores where the others use one:
// CPU a message compares, messages a second do not.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"github.com/gorilla/websocket"
)

type memory struct {
	Heap uint64 `json:"heap"`
	RSS  uint64 `json:"rss"`
}

var upgrader = websocket.Upgrader{}

func echo(w http.ResponseWriter, r *http.Request) {
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // The peer has had its answer.
	}
	defer conn.Close()
	for {
		kind, message, err := conn.ReadMessage()
		if err != nil {
			return // The peer has gone.
		}
		if err := conn.WriteMessage(kind, message); err != nil {
			return
		}
	}
}

// µs, as the operating system counts them.
func cpu() int64 {
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return (usage.Utime.Nano() + usage.Stime.Nano()) / 1000
}

// Bytes, after a collection that gives back what is free, as V8's does.
func used() memory {
	debug.FreeOSMemory()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	statm, err := os.ReadFile("/proc/self/statm")
	must(err)
	pages, err := strconv.ParseUint(strings.Fields(string(statm))[1], 10, 64)
	must(err)
	return memory{stats.HeapInuse + stats.StackInuse, pages * uint64(os.Getpagesize())}
}

// What control.ts does for the others, until the driver has gone.
func obey(port int) {
	answers := json.NewEncoder(os.Stdout)
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		var answer any
		switch order, _, _ := strings.Cut(orders.Text(), " "); order {
		case "port":
			answer = port
		case "cpu":
			answer = cpu()
		case "memory":
			answer = used()
		}
		must(answers.Encode(answer))
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	http.HandleFunc("/", echo)
	go func() { must(http.Serve(listener, nil)) }()
	obey(listener.Addr().(*net.TCPAddr).Port)
}
