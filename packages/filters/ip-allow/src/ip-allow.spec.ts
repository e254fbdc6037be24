import type { IpAllowFilterConfig } from '@tulle/model';
import { runChain, type ChainRun } from '@tulle/testkit';
import { describe, expect, it } from 'vitest';
import { ipAllow } from './index.ts';

async function connect(config: IpAllowFilterConfig, host: string, run: Partial<ChainRun> = {}) {
  const result = await runChain({
    filters: [],
    connectionFilters: [ipAllow(config, { name: 'ip' })],
    caller: { host },
    ...run,
  });
  return { ...result, status: result.response?.status ?? 'closed' };
}

describe('a peer', () => {
  it.each<[string, IpAllowFilterConfig, string, number | string]>([
    ['in an allowed network', { allow: ['10.0.0.0/8', '192.0.2.0/24'] }, '192.0.2.1', 200],
    ['in none', { allow: ['10.0.0.0/8'] }, '192.0.2.1', 'closed'],
    ['in a denied network', { deny: ['192.0.2.0/24'] }, '192.0.2.1', 'closed'],
    ['in no denied network', { deny: ['192.0.2.0/24'] }, '198.51.100.1', 200],
    ['allowed and denied', { allow: ['192.0.2.0/24'], deny: ['192.0.2.1'] }, '192.0.2.1', 'closed'],
    ['allowed beside a denied one', { allow: ['192.0.2.0/24'], deny: ['192.0.2.1'] }, '192.0.2.2', 200],
    ['with IPv6', { allow: ['2001:db8::/32'] }, '2001:db8:1::1', 200],
    ['with IPv6 in none', { allow: ['2001:db8::/32'] }, '2001:db9::1', 'closed'],
    ['with IPv6 where only IPv4 is denied', { deny: ['0.0.0.0/0'] }, '2001:db8::1', 200],
    ['with an IPv4 address in IPv6 clothes', { deny: ['192.0.2.1'] }, '::ffff:192.0.2.1', 'closed'],
    ['with a zone', { allow: ['fe80::/10'] }, 'fe80::1%eth0', 200],
    ['of a Unix socket, with allow', { allow: ['0.0.0.0/0', '::/0'] }, '', 'closed'],
    ['of a Unix socket, with deny', { deny: ['0.0.0.0/0', '::/0'] }, '', 200],
  ])('%s: %o, %s → %s', async (_what, config, host, expected) => {
    expect((await connect(config, host)).status).toBe(expected);
  });

  it('is refused by code and count, and nothing of it is read', async () => {
    const denied = await connect({ deny: ['192.0.2.1'] }, '192.0.2.1');
    expect(denied.closed).toBe(true);
    expect(denied.upstreamRequests).toEqual([]);
    expect(denied.log.lines.map(({ message }) => message).join()).toContain(
      'TULLE_ADDRESS_REFUSED address_not_allowed{denied}',
    );
    expect(denied.meter.value('tulle_filter_ip_allow_refused_total', { reason: 'denied' })).toBe(1);
    const other = await connect({ allow: ['10.0.0.0/8'] }, '192.0.2.1');
    expect(other.meter.value('tulle_filter_ip_allow_refused_total', { reason: 'not-allowed' })).toBe(1);
  });

  it('is refused before its TLS handshake', async () => {
    const { status, meter } = await connect({ deny: ['192.0.2.1'] }, '192.0.2.1', {
      caller: { host: '192.0.2.1', tls: { identity: 'spiffe://mesh.local/ns/a/sa/b' } },
    });
    expect(status).toBe('closed');
    expect(meter.value('tulle_filter_ip_allow_refused_total')).toBe(1);
    expect(meter.value('tulle_listener_downstream_cx_tls_total')).toBe(0);
  });

  it('is not believed about where it comes from', async () => {
    for (const headers of [
      { 'x-forwarded-for': '10.0.0.1' },
      { forwarded: 'for=10.0.0.1' },
      { 'x-real-ip': '10.0.0.1' },
    ])
      expect((await connect({ allow: ['10.0.0.0/8'] }, '192.0.2.1', { request: { headers } })).status).toBe(
        'closed',
      );
    const lying = await connect({ deny: ['10.0.0.1'] }, '192.0.2.1', {
      request: { headers: { 'x-forwarded-for': '10.0.0.1' } },
    });
    expect(lying.status).toBe(200);
  });
});

it.each<[IpAllowFilterConfig, RegExp]>([
  [{}, /at least 1/],
  [{ allow: ['10.0.0.0/33'] }, /\/allow\/0 "10.0.0.0\/33" is no network/],
  [{ deny: ['10.0.0.1', 'localhost'] }, /\/deny\/1 "localhost" is no network/],
  [{ allow: [] }, /allow/],
])('refuses %o', async (config, message) => {
  await expect(connect(config, '192.0.2.1')).rejects.toThrow(message);
});
