// What a frozen client leads to, as it was told once.

export const EXAMPLE = {
  client: { id: 'example', name: 'Quiet Heron', kind: 'helper', act: 'freeze' },
  at: Date.now(),
  cause: 'heartbeat-timeout',
  code: 1006,
  reason: '',
  initiator: 'network',
  clean: false,
  expected: false,
  retryable: true,
  duration: 7_412,
  noticedAfter: 6_180,
  messages: 0,
  handled: 0,
  steps: ['signal aborts', 'onUnexpectedClose', 'onClose', 'release: name', 'release: member'],
  plain: {
    sees: 'nothing',
    words: 'It stays OPEN for minutes to hours, and its close event never fires.',
  },
}
