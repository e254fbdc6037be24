import { X509Certificate } from 'node:crypto';
import { create, fromBinary } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fakeClock } from '@tulle/testkit';
import { type Secret, SecretSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/secret';
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
  type DiscoveryRequest,
  DiscoveryRequestSchema,
  type DiscoveryResponse,
} from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import { SecretDiscoveryService } from '@tulle/xds-proto/envoy/service/secret/v3/sds';
import { grpcService } from '@tulle/xds-proto/grpc';
import { agentBench, type AgentBench, WEB } from './bench.ts';

const methods = grpcService(SecretDiscoveryService);
let bench: AgentBench;
afterEach(() => bench.close());

const secretIn = (any: Parameters<typeof anyUnpack>[0] | undefined): Secret => {
  const secret = any === undefined ? undefined : anyUnpack(any, SecretSchema);
  if (secret === undefined) throw new Error('no secret');
  return secret;
};
/** Serial number of the certificate in a secret. */
const serialOf = ({ type }: Secret): string => {
  if (type.case !== 'tlsCertificate') throw new Error(`it is a ${type.case}`);
  const { certificateChain, privateKey } = type.value;
  const leaf = new X509Certificate(certificateChain?.specifier.value as string);
  expect(privateKey?.specifier.value).toMatch(/^-----BEGIN PRIVATE KEY-----/);
  return leaf.serialNumber;
};

/** A state-of-the-world stream that keeps what comes. */
function stream(): {
  ask(names: string[], answer?: { nonce: string; message?: string }): void;
  readonly responses: DiscoveryResponse[];
  readonly ended: Promise<ServiceError>;
  end(): void;
} {
  const { path, requestSerialize, responseDeserialize } = methods.streamSecrets;
  const call: ClientDuplexStream<DiscoveryRequest, DiscoveryResponse> = bench.client.makeBidiStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
  );
  const responses: DiscoveryResponse[] = [];
  call.on('data', (response: DiscoveryResponse) => responses.push(response));
  const ended = new Promise<ServiceError>((resolve) => call.on('error', resolve));
  return {
    responses,
    ended,
    end: () => call.end(),
    ask(resourceNames, answer) {
      call.write(
        create(DiscoveryRequestSchema, {
          node: { id: 'envoy-one' },
          resourceNames,
          ...(answer === undefined ? {} : { responseNonce: answer.nonce }),
          ...(answer?.message === undefined ? {} : { errorDetail: { code: 13, message: answer.message } }),
        }),
      );
    },
  };
}

describe('secrets of the agent, state of the world', () => {
  beforeEach(async () => {
    bench = await agentBench();
  });

  it('are certificate with key, and roots; each rotation is pushed once the one before was answered', async () => {
    const certificate = stream();
    certificate.ask(['default']);
    await vi.waitFor(() => expect(certificate.responses).toHaveLength(1));
    const first = certificate.responses[0] as DiscoveryResponse;
    expect(serialOf(secretIn(first.resources[0])).toLowerCase()).toBe(
      bench.identity.current()?.svid.serial.toLowerCase(),
    );
    certificate.ask(['default'], { nonce: first.nonce });
    const roots = stream();
    roots.ask(['ROOTCA']);
    await vi.waitFor(() => expect(roots.responses).toHaveLength(1));
    const { type } = secretIn(roots.responses[0]?.resources[0]);
    expect(type.case === 'validationContext' && type.value.trustedCa?.specifier.value).toBe(
      bench.identity.current()?.bundles[0]?.rootsPem.join(''),
    );
    roots.ask(['ROOTCA'], { nonce: roots.responses[0]?.nonce ?? '' });

    const next = await bench.renew();
    await vi.waitFor(() => expect(certificate.responses).toHaveLength(2));
    expect(serialOf(secretIn(certificate.responses[1]?.resources[0])).toLowerCase()).toBe(
      next.svid.serial.toLowerCase(),
    );
    expect(roots.responses).toHaveLength(1); // the roots are the same
    await vi.waitFor(() => expect(bench.counted('tulle_agent_secret_answers_total ack')).toBe(2));
  });

  it('go by SPIFFE ids too: the workload, a trust domain with its own roots, and all of them', async () => {
    const one = stream();
    one.ask([WEB, 'spiffe://example.org', 'ALL']);
    await vi.waitFor(() => expect(one.responses).toHaveLength(1));
    const secrets = (one.responses[0]?.resources ?? []).map(secretIn);
    expect(secrets.map(({ name }) => name)).toEqual([WEB, 'spiffe://example.org', 'ALL']);
    expect(secrets.map(({ type }) => type.case)).toEqual([
      'tlsCertificate',
      'validationContext',
      'validationContext',
    ]);
    for (const { type } of secrets.slice(1))
      expect(type.case === 'validationContext' && type.value.customValidatorConfig?.name).toBe(
        'envoy.tls.cert_validator.spiffe',
      );
  });

  it('are those of workload and trust domains for a client that names none', async () => {
    const one = stream();
    one.ask([]);
    await vi.waitFor(() => expect(one.responses).toHaveLength(1));
    expect((one.responses[0]?.resources ?? []).map((any) => secretIn(any).name)).toEqual([
      WEB,
      'spiffe://example.org',
    ]);
    expect(bench.server.status().sds).toMatchObject([
      { node: 'envoy-one', secrets: [WEB, 'spiffe://example.org'], upToDate: false },
    ]);
  });

  it('that nobody named follow the trust domains that there are', async () => {
    const one = stream();
    one.ask([]);
    await vi.waitFor(() => expect(one.responses).toHaveLength(1));
    one.ask([], { nonce: one.responses[0]?.nonce ?? '' });
    await vi.waitFor(() => expect(bench.counted('tulle_agent_secret_answers_total ack')).toBe(1));
    const now = bench.identity.current();
    const [own] = now?.bundles ?? [];
    if (now === undefined || own === undefined) throw new Error('there is no identity');
    bench.identity.set({ ...now, bundles: [own, { ...own, trustDomain: 'other.org' }] });
    await vi.waitFor(() => expect(one.responses).toHaveLength(2));
    expect((one.responses[1]?.resources ?? []).map((any) => secretIn(any).name)).toEqual([
      'spiffe://other.org',
    ]);
    one.ask([], { nonce: one.responses[1]?.nonce ?? '' });
    await vi.waitFor(() => expect(bench.server.status().sds[0]?.upToDate).toBe(true));
    bench.identity.set(now);
    expect(bench.server.status().sds[0]?.secrets).toEqual([WEB, 'spiffe://example.org']);
  });

  it('are in use when every client has acknowledged them, and not while one refuses', async () => {
    const [one, two] = [stream(), stream()];
    for (const each of [one, two]) each.ask(['default']);
    await vi.waitFor(() => expect(one.responses.length + two.responses.length).toBe(2));
    for (const each of [one, two]) each.ask(['default'], { nonce: each.responses[0]?.nonce ?? '' });
    await vi.waitFor(() => expect(bench.counted('tulle_agent_secret_answers_total ack')).toBe(2));
    const next = await bench.renew();
    let inUse = false;
    const taken = bench.server.inUse(next).then(() => (inUse = true));
    await vi.waitFor(() => expect(one.responses.length + two.responses.length).toBe(4));
    one.ask(['default'], { nonce: one.responses[1]?.nonce ?? '' });
    await vi.waitFor(() => expect(bench.counted('tulle_agent_secret_answers_total ack')).toBe(3));
    expect(inUse).toBe(false);
    two.ask(['default'], { nonce: two.responses[1]?.nonce ?? '' });
    await taken;

    const refused = bench.server.inUse(await bench.renew());
    await vi.waitFor(() => expect(two.responses).toHaveLength(3));
    two.ask(['default'], { nonce: two.responses[2]?.nonce ?? '', message: 'no such curve' });
    await expect(refused).rejects.toThrow('envoy-one refuses a secret: no such curve');
    expect(bench.counted('tulle_agent_secret_answers_total nack')).toBe(1);
    expect(bench.server.status().sds.map(({ refused: why }) => why)).toContain('no such curve');

    two.end(); // who is gone holds nobody up
    one.ask(['default'], { nonce: one.responses[2]?.nonce ?? '' });
    await vi.waitFor(() => expect(bench.server.status().sds).toHaveLength(1));
    await bench.server.inUse(bench.identity.current() as never);
  });

  it('of another type are refused', async () => {
    const { path, requestSerialize, responseDeserialize } = methods.streamSecrets;
    const call = bench.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    const ended = new Promise<ServiceError>((resolve) => call.on('error', resolve));
    call.write(
      create(DiscoveryRequestSchema, { typeUrl: 'type.googleapis.com/envoy.config.cluster.v3.Cluster' }),
    );
    expect((await ended).details).toMatch(/a service of secrets/);
  });
});

describe('secrets of the agent, delta', () => {
  beforeEach(async () => {
    bench = await agentBench();
  });

  it('that there are none of are said to be gone at once', async () => {
    const { path, requestSerialize, responseDeserialize } = methods.deltaSecrets;
    const call: ClientDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse> =
      bench.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    const responses: DeltaDiscoveryResponse[] = [];
    call.on('data', (response: DeltaDiscoveryResponse) => responses.push(response));
    call.on('error', () => undefined);
    call.write(
      create(DeltaDiscoveryRequestSchema, { resourceNamesSubscribe: ['default', 'kubernetes://cert'] }),
    );
    await vi.waitFor(() => expect(responses).toHaveLength(1));
    expect(responses[0]?.resources.map(({ name }) => name)).toEqual(['default']);
    expect(responses[0]?.removedResources).toEqual(['kubernetes://cert']);
    expect(bench.counted('tulle_agent_secrets_unknown_total')).toBe(1);
    call.cancel();
  });
});

describe('a single answer of secrets', () => {
  beforeEach(async () => {
    bench = await agentBench();
  });
  const fetch = (...resourceNames: string[]): Promise<DiscoveryResponse> =>
    new Promise((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = methods.fetchSecrets;
      bench.client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        create(DiscoveryRequestSchema, { resourceNames }),
        (error, response) => (response === undefined ? reject(error as Error) : resolve(response)),
      );
    });

  it('has what is named, or names what there is', async () => {
    const { resources, typeUrl } = await fetch('ROOTCA', 'default');
    expect(resources.map((any) => fromBinary(SecretSchema, any.value).name)).toEqual(['ROOTCA', 'default']);
    expect(typeUrl).toBe('type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret');
    await expect(fetch('mine')).rejects.toThrow(/no secret "mine" here; there are default, spiffe:/);
  });
});

describe('a client of SDS', () => {
  it('that does not answer is let go, so that it holds up no rotation', async () => {
    const clock = fakeClock();
    bench = await agentBench({ clock });
    const one = stream();
    one.ask(['default']);
    await vi.waitFor(() => expect(one.responses).toHaveLength(1));
    const taken = bench.server.inUse(bench.identity.current() as never);
    await clock.advance(60_000);
    expect((await one.ended).details).toMatch(/No answer to nonce \S+ for 60000 ms/);
    await taken;
  });

  it('is turned away where there are too many', async () => {
    bench = await agentBench({ maxStreams: 1 });
    const one = stream();
    one.ask(['default']);
    await vi.waitFor(() => expect(one.responses).toHaveLength(1));
    const two = stream();
    two.ask(['default']);
    expect((await two.ended).details).toMatch(/serves 1 streams already \(maxStreams\)/);
    expect(bench.counted('tulle_agent_streams_refused_total')).toBe(1);
    one.end();
    await vi.waitFor(() => expect(bench.server.status().sds).toEqual([]));
    const three = stream();
    three.ask(['default']);
    await vi.waitFor(() => expect(three.responses).toHaveLength(1));
  });
});
