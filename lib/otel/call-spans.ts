import { type Context, context, type Span, SpanStatusCode, trace } from '@opentelemetry/api'
import { isThenable } from '../platform/thenable.js'
import { peek, toError } from '../platform/thrown.js'
import { RUNNER, type Runner } from '../platform/traced.js'
import { ATTRIBUTE } from './attributes.js'

/** All that follows what was told is called by this. */
export function leaveRunner(told: object, runner: Runner): void {
  const open: { [RUNNER]?: Runner } = told
  open[RUNNER] = runner
}

/** Notes an error of the app in a span, if there is one. */
export function fail(span: Span | undefined, thrown: unknown): void {
  if (span === undefined) return
  const exception = pictureOf(toError(thrown))
  span.recordException(exception)
  span.setAttribute(ATTRIBUTE.errorType, exception.name)
  span.setStatus({ code: SpanStatusCode.ERROR, message: exception.message })
}

/** The span of a call that is under way. */
interface Running {
  readonly span: Span
  /** Whether it has returned a promise. */
  isAsync: boolean
}

/** What is told of an error. It is a copy: an error of the app may throw whenever it is looked at. */
export function pictureOf(error: Error): { name: string; message: string; stack: string } {
  const textOf = (key: keyof Error): string => {
    const value = peek(error, key)
    return typeof value === 'string' ? value : ''
  }
  return { name: textOf('name') || 'Error', message: textOf('message'), stack: textOf('stack') }
}

/** The spans of calls of the app that are under way. Each call has the id of its connection or upgrade. */
export class CallSpans<Call extends { readonly id: string }> {
  readonly #running = new Map<string, Map<Call, Running>>()

  /** A call begins. Its span is current in it, and in all that it awaits. */
  begin(call: Call, span: Span, parent: Context): void {
    const running = { span, isAsync: false }
    const ofOne = this.#running.get(call.id)
    if (ofOne === undefined) this.#running.set(call.id, new Map([[call, running]]))
    else ofOne.set(call, running)
    const inside = trace.setSpan(parent, span)
    leaveRunner(call, (go) => {
      const result = context.with(inside, go)
      running.isAsync = isThenable(result)
      return result
    })
  }

  fail(call: Call, error: unknown): void {
    fail(this.#get(call)?.span, error)
  }

  /** It has returned or thrown. */
  returned(call: Call): void {
    if (this.#get(call)?.isAsync === false) this.over(call)
  }

  /** It is over. */
  over(call: Call): void {
    this.#get(call)?.span.end()
    const ofOne = this.#running.get(call.id)
    ofOne?.delete(call)
    if (ofOne?.size === 0) this.#running.delete(call.id)
  }

  /** The end of its connection goes on without it: otherwise nobody would see the span of a call that hangs. */
  leave(call: Call): void {
    this.#get(call)?.span.setAttribute(ATTRIBUTE.overran, true)
    this.over(call)
  }

  /** The calls of a connection or upgrade that are under way, in the order in which they began. */
  of(id: string): Call[] {
    return [...(this.#running.get(id)?.keys() ?? [])]
  }

  #get(call: Call): Running | undefined {
    return this.#running.get(call.id)?.get(call)
  }
}
