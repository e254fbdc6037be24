import { parseArgs } from 'node:util';
import { type ChangeKind, CHANGES } from './changes.ts';
import type { MeshSize } from './mesh.ts';

/** What `pnpm bench:control` is asked. */
export interface Options {
  readonly meshes: readonly MeshSize[];
  readonly changes: readonly ChangeKind[];
  readonly rounds: number;
  readonly json: boolean;
  readonly profileDir: string | undefined;
}

/** Meshes of the promises: a hundred proxies, and two thousand with few Services and with a thousand. */
const PROMISED: readonly (readonly [proxies: number, services: number])[] = [
  [100, 1_000],
  [2_000, 100],
  [2_000, 1_000],
];

export const HELP: string = `pnpm bench:control [options]

  --proxies N[,N…]     simulated proxies, each with a connection and a stream of its own
  --services N[,N…]    Services, at least 3; every number of proxies with every number of Services
  --upstreams N        Services that a proxy calls, at least 2 (default 10)
  --endpoints N        endpoints of a Service beside the proxies, at most 7 (default 2)
  --change ID[,ID…]    ${CHANGES.map(({ id }) => id).join(', ')} (default all)
  --rounds N           changes of each kind (default 20)
  --profile DIR        write the control plane's CPU profiles there
  --json               figures as JSON on standard output, nothing else

Without --proxies and --services the meshes of the promises are run. Ends with 1 where a promise is broken.
`;

/** @throws Error with what is wrong */
export function readOptions(args: readonly string[]): Options | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      proxies: { type: 'string' },
      services: { type: 'string' },
      upstreams: { type: 'string', default: '10' },
      endpoints: { type: 'string', default: '2' },
      change: { type: 'string' },
      rounds: { type: 'string', default: '20' },
      profile: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return 'help';
  const upstreams = numberOf('--upstreams', values.upstreams, 2, 1_000);
  const endpoints = numberOf('--endpoints', values.endpoints, 1, 7);
  const numbers = (name: string, text: string, least: number): number[] =>
    text.split(',').map((one) => numberOf(name, one, least, 100_000));
  const sizes =
    values.proxies === undefined && values.services === undefined
      ? PROMISED
      : numbers('--proxies', values.proxies ?? '100', 1).flatMap((proxies) =>
          numbers('--services', values.services ?? '1000', 3).map((services) => [proxies, services] as const),
        );
  const wanted = values.change?.split(',');
  const unknown = wanted?.find((id) => !CHANGES.some((kind) => kind.id === id));
  if (unknown !== undefined)
    throw new Error(`--change ${unknown}: there are ${CHANGES.map(({ id }) => id).join(', ')}`);
  return {
    meshes: sizes.map(([proxies, services]) => ({ proxies, services, upstreams, endpoints })),
    changes: CHANGES.filter(({ id }) => wanted?.includes(id) ?? true),
    rounds: numberOf('--rounds', values.rounds, 1, 10_000),
    json: values.json,
    profileDir: values.profile,
  };
}

function numberOf(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new Error(`${name} ${text}: is a number from ${least} to ${most}`);
}
