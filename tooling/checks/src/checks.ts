export interface Check {
  readonly name: string;
  readonly command: readonly string[];
  /** The file that the check runs, from the root: without it there is nothing to check yet, and the check says so. */
  readonly needs?: string;
  /** Stops a check that hangs. */
  readonly timeoutMinutes: number;
}

/** `pnpm all`, in this order: what others read is made first. */
export const houseChecks: readonly Check[] = [
  { name: 'generate', command: ['turbo', 'run', 'generate'], timeoutMinutes: 3 },
  { name: 'reference', command: ['node', 'tooling/reference/src/main.ts'], timeoutMinutes: 2 },
  { name: 'test', command: ['npm', 'test'], timeoutMinutes: 25 },
  { name: 'build', command: ['turbo', 'run', 'build', '--continue'], timeoutMinutes: 5 },
  { name: 'lint', command: ['oxlint'], timeoutMinutes: 3 },
  { name: 'format', command: ['oxfmt', '--check'], timeoutMinutes: 2 },
  { name: 'types', command: ['tsc', '-p', '.'], timeoutMinutes: 5 },
  { name: 'boundaries', command: ['node', 'tooling/boundaries/src/main.ts'], timeoutMinutes: 2 },
  { name: 'packages', command: ['node', 'tooling/packages/src/main.ts'], timeoutMinutes: 12 },
];

/** `.ci/run` goes on with these. */
export const systemChecks: readonly Check[] = [
  {
    name: 'demo',
    command: ['npm', 'run', 'demo', '--', '--check'],
    needs: 'apps/demo/src/main.ts',
    timeoutMinutes: 15,
  },
  {
    name: 'upgrade',
    command: ['npm', 'run', 'test:upgrade', '--', '--short'],
    needs: 'tooling/upgrade/src/main.ts',
    timeoutMinutes: 12,
  },
  {
    name: 'guides',
    command: ['node', 'tooling/guides/src/main.ts'],
    needs: 'tooling/guides/src/main.ts',
    timeoutMinutes: 12,
  },
  {
    name: 'hostile',
    command: ['npm', 'run', 'test:hostile'],
    needs: 'tooling/hostile/src/main.ts',
    timeoutMinutes: 10,
  },
  {
    name: 'floods',
    command: ['npm', 'run', 'test:hostile', '--', '--floods'],
    needs: 'tooling/hostile/src/floods/run-floods.ts',
    timeoutMinutes: 10,
  },
  {
    name: 'net',
    command: ['npm', 'run', 'test:net'],
    needs: 'tooling/net/src/main.ts',
    timeoutMinutes: 15,
  },
  {
    name: 'interop',
    command: ['npm', 'run', 'test:interop'],
    needs: 'tooling/interop/src/main.ts',
    timeoutMinutes: 32,
  },
  {
    name: 'bench smoke',
    command: [
      ...['npm', 'run', 'bench', '--', '--quick', '--scenario', 'http1-small,http2-small,grpc-unary'],
      ...['--subject', 'tulle,haproxy,node-http'],
    ],
    needs: 'tooling/bench/src/main.ts',
    timeoutMinutes: 8,
  },
  {
    name: 'bench guard',
    command: ['npm', 'run', 'bench', '--', '--guard'],
    needs: 'tooling/bench/src/guard.ts',
    timeoutMinutes: 5,
  },
];
