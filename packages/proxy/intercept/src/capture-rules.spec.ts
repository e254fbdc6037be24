import { describe, expect, it } from 'vitest';
import { captureCommands } from './capture-rules.ts';

const lines = (...args: Parameters<typeof captureCommands>): string[] =>
  captureCommands(...args).split('; add ');

describe('capture rules', () => {
  it('spare the proxy first, then what is left alone, and lead what is', () => {
    expect(
      lines('t', {
        scope: { kind: 'cgroup', path: '/system.slice/web' },
        spare: { cgroups: ['/proxy'], marks: [7], users: [1337] },
        outbound: {
          port: 15_001,
          port6: 15_002,
          excludeCidrs: ['10.0.0.0/8', '::1'],
          excludePorts: [22, 25],
        },
        inbound: [{ port: 8080, to: 15_006 }],
        dnsPort: 15_053,
      }),
    ).toEqual([
      'create table inet t { flags owner; }',
      'chain inet t captured',
      'rule inet t captured udp dport 53 redirect to :15053',
      'rule inet t captured tcp dport 53 redirect to :15053',
      'rule inet t captured ip daddr { 10.0.0.0/8 } return',
      'rule inet t captured ip6 daddr { ::1 } return',
      'rule inet t captured tcp dport { 22, 25 } return',
      'rule inet t captured meta nfproto ipv4 tcp flags & (fin|syn|rst|ack) == syn redirect to :15001',
      'rule inet t captured meta nfproto ipv6 tcp flags & (fin|syn|rst|ack) == syn redirect to :15002',
      'chain inet t outbound { type nat hook output priority -100; }',
      'rule inet t outbound meta mark 7 return',
      'rule inet t outbound socket cgroupv2 level 1 "proxy" return',
      'rule inet t outbound meta skuid 1337 return',
      'rule inet t outbound socket cgroupv2 level 2 "system.slice/web" jump captured',
      'chain inet t inbound_here { type nat hook output priority -99; }',
      'rule inet t inbound_here meta mark 7 return',
      'rule inet t inbound_here socket cgroupv2 level 1 "proxy" return',
      'rule inet t inbound_here meta skuid 1337 return',
      'chain inet t inbound { type nat hook prerouting priority -99; }',
      'rule inet t inbound_here fib daddr type local tcp dport 8080 tcp flags & (fin|syn|rst|ack) == syn redirect to :15006',
      'rule inet t inbound fib daddr type local tcp dport 8080 tcp flags & (fin|syn|rst|ack) == syn redirect to :15006',
    ]);
  });

  it('lead what comes from elsewhere to any other port, but the proxy’s own and those that are left alone', () => {
    const inboundRest = { to: 15_006, excludePorts: [22, 9100] };
    expect(lines('t', { scope: { kind: 'namespace' }, spare: { marks: [7] }, inboundRest }).slice(1)).toEqual(
      [
        'chain inet t inbound { type nat hook prerouting priority -99; }',
        'rule inet t inbound socket mark 7 return',
        'rule inet t inbound tcp dport { 22, 9100 } return',
        'rule inet t inbound fib daddr type local tcp flags & (fin|syn|rst|ack) == syn redirect to :15006',
      ],
    );
    const cgroup = { kind: 'cgroup', path: '/web' } as const;
    expect(
      lines('t', {
        scope: cgroup,
        spare: { cgroups: ['/proxy'] },
        inbound: [{ port: 80, to: 15_007 }],
        inboundRest: { to: 15_006 },
      }).slice(-3),
    ).toEqual([
      'rule inet t inbound fib daddr type local tcp dport 80 tcp flags & (fin|syn|rst|ack) == syn redirect to :15007',
      'rule inet t inbound socket cgroupv2 level 1 "proxy" return',
      'rule inet t inbound fib daddr type local socket cgroupv2 level 1 "web" tcp flags & (fin|syn|rst|ack) == syn redirect to :15006',
    ]);
    expect(() =>
      captureCommands('t', { scope: { kind: 'users', ids: [1] }, spare: {}, inboundRest }),
    ).toThrow('does not tell at which ports a user listens');
  });

  it('belong to nobody where they are to last, and say so', () => {
    expect(captureCommands('t', { scope: { kind: 'namespace' }, spare: {} }, 'lift me')).toBe(
      'create table inet t { comment "lift me"; }',
    );
  });

  it('take some users, or everybody, and make no chain that is not needed', () => {
    const outbound = { port: 1 };
    const last = (rules: Parameters<typeof lines>[1]): string | undefined => lines('t', rules).at(-1);
    expect(last({ scope: { kind: 'users', ids: [33, 34] }, spare: {}, outbound })).toBe(
      'rule inet t outbound meta skuid { 33, 34 } jump captured',
    );
    expect(last({ scope: { kind: 'namespace' }, spare: {}, outbound })).toBe(
      'rule inet t outbound jump captured',
    );
    expect(lines('t', { scope: { kind: 'namespace' }, spare: {} })).toHaveLength(1);
  });

  it.each(['web"; flush ruleset; "', '', 'a b', '../x"'])('refuse the cgroup %j', (path) => {
    expect(() => captureCommands('t', { scope: { kind: 'cgroup', path }, spare: {}, dnsPort: 1 })).toThrow(
      'is no cgroup',
    );
  });
});
