import { runInNewContext } from 'node:vm'

/** A view of bytes, and the text that can be read in it. */
export interface OddView {
  readonly what: string
  readonly make: () => unknown
  readonly text: string
}

const BYE = new TextEncoder().encode('bye')

/** A view of a buffer that was handed to another thread, or so it seems. */
function detached<View>(viewOf: (buffer: ArrayBuffer) => View): View {
  const buffer = Uint8Array.from(BYE).buffer
  const view = viewOf(buffer)
  structuredClone(buffer, { transfer: [buffer] })
  return view
}

/** A view of a buffer that had eight bytes, and has two. */
function shrunk<View>(viewOf: (buffer: ArrayBuffer) => View): View {
  // Node 20 knows such buffers; the types of its language level do not.
  const buffer = Reflect.construct(ArrayBuffer, [8, { maxByteLength: 8 }]) as ArrayBuffer
  new Uint8Array(buffer).set(BYE)
  const view = viewOf(buffer)
  const resize = Reflect.get(buffer, 'resize') as (length: number) => void
  resize.call(buffer, 2)
  return view
}

/** Views that are read otherwise than one would think, or cannot be read at all. */
export const ODD_VIEWS: readonly OddView[] = [
  { what: 'a detached Uint8Array', make: () => detached((it) => new Uint8Array(it)), text: '' },
  { what: 'a detached Buffer', make: () => detached((it) => Buffer.from(it)), text: '' },
  { what: 'a detached DataView', make: () => detached((it) => new DataView(it)), text: '' },
  {
    what: 'a Uint8Array of a buffer that has shrunk below it',
    make: () => shrunk((it) => new Uint8Array(it, 0, 3)),
    text: '',
  },
  {
    what: 'a DataView of a buffer that has shrunk below it',
    make: () => shrunk((it) => new DataView(it, 4)),
    text: '',
  },
  {
    what: 'a Uint8Array that shrinks with its buffer',
    make: () => shrunk((it) => new Uint8Array(it)),
    text: 'by',
  },
  {
    what: 'a view of shared memory',
    make: () => {
      const view = new Uint8Array(new SharedArrayBuffer(3))
      view.set(BYE)
      return view
    },
    text: 'bye',
  },
  {
    what: 'a view of another realm',
    make: () => runInNewContext('new Uint8Array([98, 121, 101])') as unknown,
    text: 'bye',
  },
  {
    what: 'a detached view of another realm',
    make: () => {
      const view = runInNewContext('new Uint8Array([98, 121, 101])') as Uint8Array<ArrayBuffer>
      structuredClone(view.buffer, { transfer: [view.buffer] })
      return view
    },
    text: '',
  },
  {
    what: 'a view whose length cannot be read',
    make: () =>
      Object.defineProperty(Uint8Array.from(BYE), 'byteLength', {
        get: () => {
          throw new Error('no length for you')
        },
      }),
    text: '',
  },
  {
    what: 'a view of 64 MiB',
    make: () => new Uint8Array(1 << 26).fill(120),
    text: 'x'.repeat(123),
  },
]
