import { createPrivateKey, X509Certificate } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { grpcService } from '@tulle/xds-proto/grpc';
import {
  SpiffeWorkloadAPI,
  X509BundlesRequestSchema,
  type X509BundlesResponse,
  X509SVIDRequestSchema,
  type X509SVIDResponse,
} from '../src/gen/spiffe/workload/workload_pb.ts';
import { agentBench, type AgentBench, WEB, workloadHeader } from './bench.ts';

const { fetchX509SVID, fetchX509Bundles } = grpcService(SpiffeWorkloadAPI);
let bench: AgentBench;
beforeEach(async () => {
  bench = await agentBench();
});
afterEach(() => bench.close());

function svids(metadata: Metadata): {
  readonly answers: X509SVIDResponse[];
  readonly ended: Promise<ServiceError>;
} {
  const { path, requestSerialize, responseDeserialize } = fetchX509SVID;
  const call = bench.client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    create(X509SVIDRequestSchema),
    metadata,
  );
  const answers: X509SVIDResponse[] = [];
  call.on('data', (answer: X509SVIDResponse) => answers.push(answer));
  return { answers, ended: new Promise((resolve) => call.on('error', resolve)) };
}

describe('the Workload API', () => {
  it('gives certificate, key and roots as DER, and again when they rotate', async () => {
    const { answers, ended } = svids(workloadHeader());
    ended.catch(() => undefined);
    await vi.waitFor(() => expect(answers).toHaveLength(1));
    const [svid] = answers[0]?.svids ?? [];
    expect(svid?.spiffeId).toBe(WEB);
    const leaf = new X509Certificate(Buffer.from(svid?.x509Svid ?? []));
    expect(leaf.subjectAltName).toBe(`URI:${WEB}`);
    const key = createPrivateKey({ key: Buffer.from(svid?.x509SvidKey ?? []), format: 'der', type: 'pkcs8' });
    expect(leaf.checkPrivateKey(key)).toBe(true);
    const root = new X509Certificate(Buffer.from(svid?.bundle ?? []));
    expect(root.ca && root.checkIssued(root)).toBe(true);

    const next = await bench.renew();
    await vi.waitFor(() => expect(answers).toHaveLength(2));
    const renewed = new X509Certificate(Buffer.from(answers[1]?.svids[0]?.x509Svid ?? []));
    expect(renewed.serialNumber.toLowerCase()).toBe(next.svid.serial.toLowerCase());
    expect(bench.server.status().workloadApi).toBe(1);
  });

  it('gives the roots alone, by the id of their trust domain', async () => {
    const { path, requestSerialize, responseDeserialize } = fetchX509Bundles;
    const call = bench.client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      create(X509BundlesRequestSchema),
      workloadHeader(),
    );
    call.on('error', () => undefined);
    const answer = await new Promise<X509BundlesResponse>((resolve) => call.on('data', resolve));
    expect(Object.keys(answer.bundles)).toEqual(['spiffe://example.org']);
    call.cancel();
  });

  it('refuses a call without its header, which a browser cannot send', async () => {
    const { ended, answers } = svids(new Metadata());
    const { code, details } = await ended;
    expect(code).toBe(status.INVALID_ARGUMENT);
    expect(details).toContain('workload.spiffe.io: true');
    expect(answers).toEqual([]);
  });
});
