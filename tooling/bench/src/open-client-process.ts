// A load generator that does not wait for answers, driven over IPC.
import { openLoad, type OpenRound } from './load/open-load.ts';

process.on('message', (round: OpenRound) => {
  void openLoad(round).then((result) => process.send?.(result));
});

// The benchmark is over, or was interrupted.
process.on('disconnect', () => process.exit());
