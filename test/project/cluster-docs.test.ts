// What the pages on several nodes say: defaults, the manifest for Kubernetes, and what follows from the lease.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { DEFAULTS } from '../../lib/options/defaults.js'
import { CLUSTER_DEFAULTS } from '../../lib/redis/options.js'
import { route } from '../support/servers/resolve.js'

const read = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

interface Container {
  readonly ports: ReadonlyArray<{ readonly containerPort: number }>
  readonly env: ReadonlyArray<{ readonly name: string; readonly valueFrom?: unknown }>
  readonly lifecycle: { readonly preStop: { readonly sleep: { readonly seconds: number } } }
  readonly readinessProbe: Probe
  readonly livenessProbe: Probe
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: number }
}

interface PodSpec {
  readonly terminationGracePeriodSeconds: number
  readonly containers: readonly [Container]
}

interface Deployment {
  readonly kind: string
  readonly spec: {
    readonly minReadySeconds: number
    readonly selector: { readonly matchLabels: object }
    readonly template: { readonly metadata: { readonly labels: object }; readonly spec: PodSpec }
  }
}

interface Service {
  readonly kind: string
  readonly spec: {
    readonly selector: object
    readonly ports: ReadonlyArray<{ readonly targetPort: number }>
  }
}

/** All documents of the YAML blocks of a page. */
function manifestsOf(path: string): unknown[] {
  return Array.from(read(path).matchAll(/```yaml\n([^]*?)```/g)).flatMap(([, block = '']) =>
    parseAllDocuments(block).map((document) => {
      assert.deepEqual(document.errors, [])
      return document.toJS() as unknown
    }),
  )
}

/** ms that the drain and what follows it may take: see docs/shutdown.md. */
const DRAIN = DEFAULTS.drain.timeout + 1_500

describe('the manifests for Kubernetes', () => {
  const [pod, deployment, service] = manifestsOf('docs/kubernetes.md') as [
    { readonly spec: PodSpec },
    Deployment,
    Service,
  ]

  it('are a part of a pod, a deployment and its service', () => {
    assert.equal(manifestsOf('docs/kubernetes.md').length, 3)
    assert.deepEqual([deployment.kind, service.kind], ['Deployment', 'Service'])
    const { selector, template } = deployment.spec
    assert.deepEqual(template.metadata.labels, selector.matchLabels)
    assert.deepEqual(service.spec.selector, selector.matchLabels)
  })

  it('wait for longer than preStop and the drain take', () => {
    for (const { terminationGracePeriodSeconds, containers } of [
      pod.spec,
      deployment.spec.template.spec,
    ]) {
      const before = containers[0].lifecycle.preStop.sleep.seconds * 1_000
      assert.ok(terminationGracePeriodSeconds * 1_000 > before + DRAIN)
    }
  })

  it('give clients time to come back between two pods', () => {
    assert.ok(deployment.spec.minReadySeconds * 1_000 > DEFAULTS.drain.reconnectWindow)
  })

  it('give a node its address, and probe routes of the code above them', () => {
    const [container] = deployment.spec.template.spec.containers
    const { env, ports, readinessProbe, livenessProbe } = container
    const [{ containerPort }] = ports as [{ containerPort: number }]
    assert.deepEqual(env.find(({ name }) => name === 'POD_IP')?.valueFrom, {
      fieldRef: { fieldPath: 'status.podIP' },
    })
    const page = read('docs/kubernetes.md')
    assert.ok(page.includes(`address: \`http://\${process.env['POD_IP']}:${containerPort}\``))
    for (const { httpGet } of [readinessProbe, livenessProbe]) {
      assert.equal(httpGet.port, containerPort)
      assert.ok(page.includes(`app.get('${httpGet.path}'`), httpGet.path)
    }
    assert.equal(service.spec.ports[0]?.targetPort, containerPort)
  })
})

describe('the page of options', () => {
  it('has the defaults of `cluster.durable`', () => {
    const { durable } = route({ cluster: { durable: { release: () => {} } } }).cluster
    assert.match(
      read('docs/options.md'),
      new RegExp(`\`cluster\\.durable\\.whenCutOff\` +\\| \`'${durable?.whenCutOff}'\` `),
    )
    assert.equal(durable?.name, '/rooms/:id')
    assert.match(read('docs/options.md'), /`cluster\.durable\.name` +\| the URL /)
  })
})

describe('the page of several nodes', () => {
  const page = read('docs/cluster.md')
  /** The rows of the table of options: name and default. */
  const rows = Array.from(
    page.matchAll(/^\| `([\w.]+)` +\| (?:`([^`]+)`|none) +\|/gm),
    ([, name = '', value]) => [name, value] as const,
  )

  it('has all options of the plugin, with their defaults', () => {
    const { cleanup, ...others } = CLUSTER_DEFAULTS
    const expected = new Map<string, string | undefined>([
      ['client', undefined],
      ['prefix', `'${others.prefix}'`],
      ['address', undefined],
      ['lease', String(others.lease)],
      ['cleanup.concurrency', String(cleanup.concurrency)],
      ['cleanup.rate', String(cleanup.rate)],
    ])
    assert.deepEqual(new Map(rows), expected)
  })

  it('says with the others when a death is found', () => {
    const [lease, beat] = [CLUSTER_DEFAULTS.lease / 1_000, CLUSTER_DEFAULTS.lease / 3_000]
    const failures = read('docs/cluster-failures.md').replaceAll(/\s+/g, ' ')
    assert.ok(failures.includes(`a lease of ${lease} s, renewed every ${beat} s.`))
    assert.ok(failures.includes(`| ${2 * lease} to ${2 * lease + beat} s `))
    const afterDeath = `${2 * lease - beat} to ${2 * lease + beat} s`
    for (const text of [failures, read('docs/durable-cleanups.md')]) {
      assert.ok(text.includes(afterDeath))
    }
  })
})
