import { filterCompliance } from '@tulle/filter-compliance';
import { describe, it } from 'vitest';
import { grpcWeb } from './index.ts';

describe('compliance', () => {
  for (const { name, run } of filterCompliance({
    filter: grpcWeb,
    validConfigs: [{}],
    invalidConfigs: [{ config: { text: true }, pointers: ['/text'] }],
    routeConfigs: [{}],
    requests: [
      {},
      { method: 'POST', headers: { 'content-type': 'application/grpc-web' }, body: 'x' },
      { method: 'POST', headers: { 'content-type': 'application/grpc-web-text' }, chunks: ['AAAA', 'AAA='] },
    ],
    upstream: () => ({
      headers: { 'content-type': 'application/grpc' },
      chunks: ['answer'],
      trailers: { 'grpc-status': '0' },
    }),
  }))
    it(`complies: ${name}`, async () => run());
});
