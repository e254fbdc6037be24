import { describe, expect, it } from 'vitest';
import { profileShares, type CpuProfile } from './profile-shares.ts';

const node = (
  id: number,
  functionName: string,
  url: string,
  children: number[] = [],
): CpuProfile['nodes'][number] => ({ id, callFrame: { functionName, url }, children });

describe('the shares of a profile', () => {
  it('say what the time went to, without start and idleness', () => {
    const profile: CpuProfile = {
      nodes: [
        node(1, '(root)', '', [2, 3, 5, 8, 10, 11]),
        node(2, '(idle)', ''),
        node(3, 'walk', 'file:///program.js', [4, 6]),
        node(4, 'write', 'file:///program.js', [12, 13]),
        node(5, 'executeUserEntryPoint', 'node:internal/modules/run_main', []),
        node(6, 'record', 'file:///program.js', [7]),
        node(7, 'latin1Write', ''),
        node(8, 'write', 'node:fs', [9]),
        node(9, 'writeBuffer', ''),
        node(10, '(garbage collector)', ''),
        node(11, 'onStreamRead', 'node:internal/stream_base_commons'),
        node(12, 'writeBuffer', ''),
        node(13, 'handleWriteReq', 'node:internal/stream_base_commons', [14]),
        node(14, 'writeBuffer', ''),
      ],
      samples: [2, 5, 12, 14, 3, 7, 9, 10, 11],
      timeDeltas: [900, 900, 20, 30, 20, 10, 10, 5, 5],
    };
    expect(profileShares(profile)).toEqual([
      ['writing to sockets, most of it in the kernel', 50],
      ['engine, codec, filters', 20],
      ['the record: access log line, metrics', 10],
      ["writing the access log's file", 10],
      ['collecting garbage', 5],
      ["Node's own JavaScript", 5],
    ]);
  });
});
