import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readDirectory, type WorkloadFiles } from './workload-directory.ts';

const NOTHING: WorkloadFiles = { workloads: new Map(), faults: [] };

describe('the directory of workloads', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'tulle-workloads-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const write = (file: string, what: object | string): void =>
    writeFileSync(join(directory, file), typeof what === 'string' ? what : JSON.stringify(what, null, 2));
  const web = { name: 'web', network: '/run/netns/web', address: '10.1.0.7', ports: [8080], token: 't' };
  const addresses = ({ workloads }: WorkloadFiles): Record<string, string> =>
    Object.fromEntries([...workloads].map(([key, { workload }]) => [key, workload.address]));

  it('says who is served, with what is not said filled in', () => {
    write('a.json', web);
    write('b.json', {
      ...web,
      name: 'db',
      network: '/run/netns/db',
      namespace: 'shop',
      serviceAccount: 'store',
      labels: { tier: 'x' },
      reachable: ['web.default', '*.shop'],
    });
    write('c.json.new', 'half of a fi');
    const { workloads, faults } = readDirectory(directory, NOTHING);
    expect(faults).toEqual([]);
    expect([...workloads].map(([key, { workload }]) => [key, workload])).toEqual([
      [
        'default.web',
        {
          ...web,
          namespace: 'default',
          serviceAccount: 'web',
          labels: { app: 'web' },
          excludeInboundPorts: [],
          egress: 'passthrough',
          reachable: ['*'],
        },
      ],
      [
        'shop.db',
        {
          ...web,
          name: 'db',
          network: '/run/netns/db',
          namespace: 'shop',
          serviceAccount: 'store',
          labels: { tier: 'x' },
          excludeInboundPorts: [],
          egress: 'passthrough',
          reachable: ['web.default', '*.shop'],
        },
      ],
    ]);
  });

  it.each([
    ['{ "name": "web",\n  oops }', /bad\.json: is no JSON: .*line 2/],
    [{ ...web, ports: [8080, 70_000] }, /bad\.json:5: ports\.1: must be between 1 and 65535, not 70000/],
    [{ ...web, name: 'Web' }, /bad\.json:2: name: .*"Web"/],
    [{ ...web, labels: { network: 'x' }, netwrok: 'x' }, /bad\.json:\d+: .*netwrok.*did you mean.*network/],
    [
      { labels: { address: 'x' }, ...web, address: '10.1.0' },
      /bad\.json:7: address: "10\.1\.0" is no IP address, e\.g\. 10\.1\.0\.7/,
    ],
    [{ ...web, ports: [15_008] }, /bad\.json:5: ports: 15008 is the proxy's own .*15001, 15006, 15008/],
    [
      { ...web, excludeInboundPorts: [9100, 8080] },
      /bad\.json:9: excludeInboundPorts: 8080 is one of ports too/,
    ],
    [
      { ...web, resolvers: ['10.96.0.10', 'dns.test'] },
      /bad\.json:9: resolvers: "dns\.test" is no IP address.*an empty list leaves DNS alone/,
    ],
    [{ ...web, egress: 'all' }, /bad\.json:9: egress: .*passthrough.*"all"/],
    [{ ...web, reachable: ['shop/orders'] }, /bad\.json:9: reachable\.0: .*"shop\/orders"/],
    [{ name: 'web' }, /bad\.json:1: .*network.*; .*bad\.json:1: .*address/],
  ])('names file, line, field and value of what is wrong, and serves the others: %j', (what, message) => {
    write('bad.json', what);
    write('good.json', { ...web, name: 'good' });
    const { workloads, faults } = readDirectory(directory, NOTHING);
    expect([...workloads.keys()]).toEqual(['default.good']);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(message);
  });

  it('keeps what a file said last while it is wrong, until it is right again or gone', () => {
    write('web.json', web);
    const first = readDirectory(directory, NOTHING);
    write('web.json', '{ "name": "web", ');
    const broken = readDirectory(directory, first);
    expect(addresses(broken)).toEqual({ 'default.web': '10.1.0.7' });
    expect(broken.faults).toEqual([expect.stringMatching(/web\.json.*what the file said before holds$/)]);
    const still = readDirectory(directory, broken);
    expect(addresses(still)).toEqual({ 'default.web': '10.1.0.7' });
    write('web.json', { ...web, address: '10.1.0.8' });
    const mended = readDirectory(directory, still);
    expect([addresses(mended), mended.faults]).toEqual([{ 'default.web': '10.1.0.8' }, []]);
    rmSync(join(directory, 'web.json'));
    expect(readDirectory(directory, mended)).toEqual(NOTHING);
  });

  it('that cannot be read says nothing of its files', () => {
    write('web.json', web);
    const first = readDirectory(directory, NOTHING);
    renameSync(directory, `${directory}-away`);
    const away = readDirectory(directory, first);
    renameSync(`${directory}-away`, directory);
    expect(addresses(away)).toEqual({ 'default.web': '10.1.0.7' });
    expect(away.faults).toEqual([
      expect.stringMatching(/cannot be read \(ENOENT.*what its files said last holds/),
    ]);
  });

  it('has each workload once: the first file has it, and the second is named with the first', () => {
    write('a.json', web);
    write('b.json', { ...web, address: '10.1.0.9' });
    const found = readDirectory(directory, NOTHING);
    expect(addresses(found)).toEqual({ 'default.web': '10.1.0.7' });
    expect(found.faults).toEqual([expect.stringMatching(/b\.json: default\.web is in .*a\.json already/)]);
  });

  it('has one workload in a network: its proxy would take from the one what the other has', () => {
    write('a.json', web);
    write('b.json', { ...web, name: 'db' });
    const found = readDirectory(directory, NOTHING);
    expect(addresses(found)).toEqual({ 'default.web': '10.1.0.7' });
    expect(found.faults).toEqual([
      expect.stringMatching(
        /b\.json: network: \/run\/netns\/web is that of default\.web in .*a\.json already/,
      ),
    ]);
    rmSync(join(directory, 'a.json'));
    expect([...readDirectory(directory, found).workloads.keys()]).toEqual(['default.db']);
  });
});
