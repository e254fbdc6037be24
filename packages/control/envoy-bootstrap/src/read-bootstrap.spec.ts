import { create, toBinary } from '@bufbuild/protobuf';
import { BootstrapSchema } from '@tulle/xds-proto/envoy/config/bootstrap/v3/bootstrap';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeIssue } from './issue.ts';
import { readBootstrap } from './read-bootstrap.ts';

const read = (text: string, inline?: string): ReturnType<typeof readBootstrap> =>
  readBootstrap({
    file: { name: 'envoy.yaml', text },
    ...(inline !== undefined && { inline: { name: '--config-yaml', text: inline } }),
  });
const lines = (text: string, inline?: string): string[] => read(text, inline).issues.map(describeIssue);

const CLUSTER = (name: string): string => `static_resources:
  clusters:
    - name: ${name}
      connect_timeout: 0.25s
`;

describe('reading a bootstrap', () => {
  it('reads YAML and JSON alike, by both spellings of a field', () => {
    const yaml = read(
      'node: { id: one }\nstatic_resources: { clusters: [{ name: a, connect_timeout: 1.5s }] }',
    );
    const json = read(
      '{"node": {"id": "one"}, "staticResources": {"clusters": [{"name": "a", "connectTimeout": "1.5s"}]}}',
    );
    expect(yaml.issues).toEqual([]);
    expect(json.bootstrap).toEqual(yaml.bootstrap);
    expect(yaml.bootstrap.staticResources?.clusters[0]?.connectTimeout).toMatchObject({
      seconds: 1n,
      nanos: 500_000_000,
    });
  });

  it('reads durations by the fields of their message, as Envoy does', () => {
    const of = (duration: string): ReturnType<typeof read> =>
      read(`static_resources: { clusters: [{ name: a, connect_timeout: ${duration} }] }`);
    const read1 = of('{ seconds: 300 }');
    expect(read1.issues).toEqual([]);
    expect(read1.bootstrap.staticResources?.clusters[0]?.connectTimeout).toMatchObject({
      seconds: 300n,
      nanos: 0,
    });
    expect(
      of('{ seconds: 1, nanos: 5000000 }').bootstrap.staticResources?.clusters[0]?.connectTimeout,
    ).toMatchObject({ seconds: 1n, nanos: 5_000_000 });
    for (const wrong of [
      '{ secs: 1 }',
      '{ seconds: 1.5 }',
      '{ nanos: 1000000000 }',
      '{ seconds: 1, nanos: -1 }',
    ])
      expect(of(wrong).issues.map(({ message }) => message)).toEqual([
        expect.stringContaining('must be a duration such as 0.25s'),
      ]);
  });

  it('merges a text over the file as protobuf does: values replaced, messages merged, lists one after the other', () => {
    const { bootstrap } = read(
      `node: { id: one, cluster: c }\n${CLUSTER('a')}`,
      `node: { id: two }\n${CLUSTER('b')}`,
    );
    expect(bootstrap.node).toMatchObject({ id: 'two', cluster: 'c' });
    expect(bootstrap.staticResources?.clusters.map(({ name }) => name)).toEqual(['a', 'b']);
  });

  it('names every fault with path, line and column, not only the first', () => {
    expect(
      lines(`node: { id: 7 }
static_resources:
  clusters:
    - name: a
      conect_timeout: 1s
      connect_timeout: soon
      lb_policy: FASTEST
      type: STATIC
      cluster_type: { name: x }
    - 5
admin: []
`),
    ).toEqual([
      expect.stringMatching(/^envoy\.yaml:1:9: node\.id: expected string/),
      'envoy.yaml:5:7: static_resources.clusters[0].conect_timeout: envoy.config.cluster.v3.Cluster has no field "conect_timeout"; did you mean connect_timeout?',
      'envoy.yaml:6:7: static_resources.clusters[0].connect_timeout: must be a duration such as 0.25s, but is "soon"',
      expect.stringMatching(
        /^envoy\.yaml:7:7: static_resources\.clusters\[0\]\.lb_policy: must be one of ROUND_ROBIN, .*but is "FASTEST"$/,
      ),
      'envoy.yaml:9:7: static_resources.clusters[0].cluster_type: must not be set beside type: they exclude each other',
      'envoy.yaml:10:7: static_resources.clusters[1]: must be a mapping (envoy.config.cluster.v3.Cluster), but is 5',
      'envoy.yaml:11:1: admin: must be a mapping (envoy.config.bootstrap.v3.Admin), but is []',
    ]);
  });

  it('names types that it does not have, those of the v2 API as such, and goes on', () => {
    const filter = (type: string): string => `
static_resources:
  listeners:
    - name: l
      filter_chains:
        - filters:
            - name: f
              typed_config:
                "@type": ${type}
                anything: 1
`;
    expect(
      lines(filter('type.googleapis.com/envoy.extensions.filters.network.redis_proxy.v3.RedisProxy')),
    ).toEqual([
      'envoy.yaml:8:15: static_resources.listeners[0].filter_chains[0].filters[0].typed_config: the type envoy.extensions.filters.network.redis_proxy.v3.RedisProxy is not supported by this proxy',
    ]);
    expect(
      lines(
        filter(
          'type.googleapis.com/envoy.config.filter.network.http_connection_manager.v2.HttpConnectionManager',
        ),
      )[0],
    ).toContain('is of the v2 API, which is gone; use that of v3');
  });

  it('points into the text that has the fault, also past the elements of the other', () => {
    expect(lines(CLUSTER('a'), `static_resources:\n  clusters:\n    - name: b\n      oops: 1\n`)).toEqual([
      '--config-yaml:4:7: static_resources.clusters[0].oops: envoy.config.cluster.v3.Cluster has no field "oops"',
    ]);
    // A translator counts the elements of both.
    const text = read(CLUSTER('a'), `static_resources:\n  clusters:\n    - name: b\n`);
    expect(text.locate('static_resources.clusters[1].name', 'x')).toMatchObject({
      source: '--config-yaml',
      position: { line: 3, column: 7 },
    });
    expect(text.locate('static_resources.clusters[0].name', 'x')).toMatchObject({ source: 'envoy.yaml' });
  });

  it('leaves unknown fields out where the operator says so, and tells', () => {
    const { issues, leftOut, bootstrap } = readBootstrap(
      { file: { name: 'envoy.yaml', text: 'node: { id: one }\nfuture: 1\n' } },
      { allowUnknownFields: true },
    );
    expect(issues).toEqual([]);
    expect(leftOut.map(describeIssue)).toEqual([
      'envoy.yaml:2:1: future: envoy.config.bootstrap.v3.Bootstrap has no field "future"',
    ]);
    expect(bootstrap.node?.id).toBe('one');
  });

  it('knows anchors, merge keys, the tag !ignore and the words yaml-cpp takes for booleans', () => {
    const { issues, bootstrap } = read(`
!ignore shared:
  - &timeout 3s
  - &common { connect_timeout: *timeout, use_tcp_for_dns_lookups: yes }
static_resources:
  clusters:
    - <<: *common
      name: a
`);
    expect(issues).toEqual([]);
    expect(bootstrap.staticResources?.clusters[0]).toMatchObject({
      name: 'a',
      connectTimeout: { seconds: 3n },
      useTcpForDnsLookups: true,
    });
  });

  it('reads a binary bootstrap, and says so of one that is none', () => {
    const bytes = toBinary(BootstrapSchema, create(BootstrapSchema, { node: { id: 'one' } }));
    expect(readBootstrap({ file: { name: 'a.pb', bytes } }).bootstrap.node?.id).toBe('one');
    const broken = readBootstrap({ file: { name: 'a.pb', bytes: new Uint8Array([7, 7, 7]) } });
    expect(broken.issues.map(describeIssue)[0]).toMatch(
      /^a\.pb: is no envoy\.config\.bootstrap\.v3\.Bootstrap: /,
    );
  });

  it('says what keeps a text from being YAML, and where', () => {
    expect(lines('node:\n  id: "open\n')[0]).toMatch(/^envoy\.yaml:\d+:\d+: Missing closing "quote/);
    expect(lines('a: 1\na: 2\n')[0]).toMatch(/^envoy\.yaml:2:1: Map keys must be unique/);
    expect(lines('')).toEqual(['envoy.yaml: is empty']);
    expect(lines('[1, 2]')[0]).toContain('must be a mapping (envoy.config.bootstrap.v3.Bootstrap)');
    const bomb = [
      'a: &a0 [x]',
      ...Array.from({ length: 12 }, (_, i) => `b${i}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(', ')}]`),
    ];
    expect(lines(bomb.join('\n'))[0]).toMatch(/Excessive alias count/);
  });

  it('never throws, whatever stands in the text', () => {
    const value = fc.jsonValue({ maxDepth: 6 });
    const names = fc.constantFrom(
      'node',
      'admin',
      'static_resources',
      'listeners',
      'clusters',
      'filter_chains',
      'typed_config',
      '@type',
      'name',
      'address',
      'load_assignment',
      'x',
    );
    const tree = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 5 },
        value,
        fc.dictionary(names, tie('node')),
        fc.array(tie('node'), { maxLength: 3 }),
      ),
    })).node;
    fc.assert(
      fc.property(tree, (json) => {
        read(JSON.stringify(json));
      }),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => void read(text)),
      { numRuns: 300 },
    );
  });
});
