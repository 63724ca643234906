/** A schema of messages. */
export const MOVE = {
  type: 'object',
  required: ['to'],
  properties: {
    to: { type: 'string', enum: ['left', 'right'] },
    by: { type: 'integer', default: 1 },
  },
  additionalProperties: false,
}
