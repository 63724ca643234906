import type { FastifyInstance, FastifyRequest, FastifySchema } from 'fastify'
import { invalidOption } from '../errors.js'
import { follow, isThenable } from '../platform/thenable.js'
import { isError, peek, toError } from '../platform/thrown.js'

/** The result for a message: its parsed value, or what is wrong with it. */
export type Verdict = { readonly value: unknown } | { readonly error: Error }

/** Checks a message. Throws, or rejects with, the error that the validator threw. */
export type Validate = (data: unknown, isBinary: boolean) => Verdict | Promise<Verdict>

/** A compiled schema. ajv leaves its errors on it. */
interface Validator {
  (value: unknown, parent?: { parentData: object; parentDataProperty: string }): unknown
  readonly errors?: unknown
  readonly schemaEnv?: unknown
}

type JsonParser = (
  request: undefined,
  text: string,
  done: (error: Error | null, value: unknown) => void,
) => void

interface AjvError {
  readonly instancePath?: string
  readonly message?: string
}

/**
 * Makes the check for messages from the route's `schema.message`. It uses the validator compiler and the JSON
 * rules that the same instance uses for bodies.
 * @throws FST_ERR_WSL_INVALID_OPTION if the compiler does not accept the schema
 */
export function compileMessageSchema(
  instance: FastifyInstance,
  request: FastifyRequest,
  schema: unknown,
): Validate {
  const validator = compile(request, schema)
  const { onProtoPoisoning = 'error', onConstructorPoisoning = 'error' } = instance.initialConfig
  const parse = instance.getDefaultJsonParser(
    onProtoPoisoning,
    onConstructorPoisoning,
  ) as unknown as JsonParser

  return (data, isBinary) => {
    if (isBinary) return refused(new Error('Expected a text message, got a binary one'))
    const holder: { message?: unknown } = {}
    parse(undefined, String(data), (error, value) => {
      if (error === null) holder.message = value
    })
    if (!('message' in holder)) return refused(new Error('Expected a message in JSON'))
    return judge(validator, holder)
  }
}

function compile(request: FastifyRequest, schema: unknown): Validator {
  try {
    return request.compileValidationSchema(
      toObject(schema) as FastifySchema,
      // Fastify's types know only the parts of an HTTP request. A compiler accepts any name here.
      'message' as 'body',
    ) as Validator
  } catch (error) {
    throw invalidOption(
      `Expected \`schema.message\` to be a schema that the validator compiler takes, got an error (${toError(error).message}), in the options of route GET ${request.routeOptions.url}`,
    )
  }
}

/** Fastify keeps compiled schemas in a WeakMap, which cannot hold a boolean. */
function toObject(schema: unknown): unknown {
  if (typeof schema !== 'boolean') return schema
  return schema ? {} : { not: {} }
}

/** Reads the answer of a validator, as Fastify does for a body. */
function judge(validator: Validator, holder: { message?: unknown }): Verdict | Promise<Verdict> {
  const result =
    // ajv can coerce the value itself only if it knows the object that holds it.
    validator.schemaEnv === undefined
      ? validator(holder.message)
      : validator(holder.message, { parentData: holder, parentDataProperty: 'message' })
  if (isThenable(result)) {
    // An asynchronous validator resolves with the data itself. So the data must not be read as an answer.
    return follow<Verdict>(
      result,
      (settled) => (settled === false ? refused(validator.errors) : { value: holder.message }),
      refused,
    )
  }
  if (result === false) return refused(validator.errors)
  if (typeof result !== 'object' || result === null) return { value: holder.message }
  if ('error' in result && result.error) return refused(result.error)
  return { value: 'value' in result ? result.value : holder.message }
}

function refused(validation: unknown): Verdict {
  const details = { code: 'FST_ERR_VALIDATION', validationContext: 'message' }
  if (isError(validation)) {
    const error = toError(validation)
    return { error: annotate(error, { ...details, code: peek(error, 'code') ?? details.code }) }
  }
  const error = new Error(textOf(validation) || 'The message does not match its schema')
  return { error: Object.assign(error, { validation, ...details }) }
}

/** The text of ajv's errors; `''` for another validator, which has its own form. */
function textOf(validation: unknown): string {
  try {
    const all = Array.isArray(validation) ? (validation as AjvError[]) : []
    return all
      .map(({ instancePath = '', message = '' }) => `message${instancePath} ${message}`)
      .join(', ')
  } catch {
    return ''
  }
}

/**
 * Adds details to an error of the validator. If it cannot be changed, it becomes the cause of a new error.
 */
function annotate(error: Error, details: object): Error {
  try {
    return Object.assign(error, details)
  } catch {
    return Object.assign(new Error(error.message, { cause: error }), details)
  }
}
