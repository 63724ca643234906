import { expectProtocols, expectUrl, type Settings } from './options.js'

/**
 * The URL and the app's subprotocols for an attempt. They are not asked at once, because the app has no client yet.
 * @throws (rejects with) the app's own errors, or a TypeError for a wrong answer
 */
export async function ask({ protocols, url }: Settings): Promise<[string, string[]]> {
  await Promise.resolve()
  const [address, names] = await Promise.all([
    typeof url === 'function' ? url() : url,
    typeof protocols === 'function' ? protocols() : protocols,
  ])
  expectUrl(address)
  expectProtocols(names)
  return [String(address), [names].flat()]
}
