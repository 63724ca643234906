/** Numbers of a WebSocket frame (RFC 6455 §5.2, and §5.5 for control frames). */

/** Opcodes from here on are of control frames: close, ping, pong. */
export const FIRST_CONTROL_OPCODE = 8
