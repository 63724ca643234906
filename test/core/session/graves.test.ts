import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Grave, Graves } from '../../../lib/core/session/graves.js'

const GRAVE: Grave = { key: 'ada', path: '/rooms/7', code: 1008, reason: 'banned' }

test('how a session has ended is remembered for one window', () => {
  const graves = new Graves(1_000)
  graves.dig('token', GRAVE, 0)
  assert.equal(graves.find('token', 999)?.code, 1008)
  assert.equal(graves.find('token', 1_000), undefined)
  assert.equal(graves.find('other', 0), undefined)
})

test('there are at most 10,000 graves: the oldest is forgotten', () => {
  const graves = new Graves(1_000)
  for (let i = 0; i <= 10_000; i++) graves.dig(`token ${i}`, GRAVE, 0)
  assert.equal(graves.find('token 0', 0), undefined)
  assert.equal(graves.find('token 1', 0)?.reason, 'banned')
  assert.equal(graves.find('token 10000', 0)?.reason, 'banned')
})

test('a new grave makes place of those whose window is over', () => {
  const graves = new Graves(1_000)
  graves.dig('old', GRAVE, 0)
  graves.dig('young', GRAVE, 600)
  graves.dig('new', GRAVE, 1_200)
  assert.equal(graves.find('old', 600), undefined)
  assert.equal(graves.find('young', 1_200)?.code, 1008)
})
