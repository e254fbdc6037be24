// The load generator: one process, raw sockets. Driven over IPC, so that it is started once and measured many times.
import { http1Load } from './load/http1-load.ts';
import { http2Load } from './load/http2-load.ts';
import type { Round } from './load/round.ts';

process.on('message', (round: Round) => {
  void (round.kind === 'http1' ? http1Load(round) : http2Load(round)).then((result) =>
    process.send?.(result),
  );
});
