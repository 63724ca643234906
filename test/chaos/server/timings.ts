/** How the server is set up, in ms: short, so that a minute sees many verdicts. Healthy peers live by them. */
export const KEEPALIVE = { interval: 1_000, timeout: 2_500 } as const
export const CLOSE_TIMEOUT = 1_000
export const CLEANUP_TIMEOUT = 1_500
export const HANDSHAKE_TIMEOUT = 4_000
export const DRAIN_TIMEOUT = 5_000

/** The limits of the routes of these names. */
export const IDLE_TIMEOUT = 2_000
export const MAX_LIFETIME = 4_000
export const CREDENTIALS = 3_000
/** For how long a message renews credentials. */
export const RENEWED = 15_000
/** Longer than anything that happens to a line. */
export const RESUME_WINDOW = 60_000

/** How long the loop of the server stands still, at most. */
export const LONGEST_STALL = 2_000

/** How many connections the limited route takes, and how many of one key. */
export const PLACES = 12
export const PLACES_OF_KEY = 2

/** Above this a message is too large. */
export const MAX_PAYLOAD = 131_072

/** Names that peers share, which misbehave. */
export const SHARED_KEYS = 8
/** Places that are tried, by key, once all have left: on the limited route, and for devices. */
export const SHARED_PLACES = SHARED_KEYS * (PLACES_OF_KEY + 1)
