import { join } from 'node:path';
import { tulleDirectories } from '@tulle/sidecar/directories';
import type { Io } from '../cli/io.ts';

/** Where the workloads of this node are, a file each. */
export const WORKLOADS_OPTION = {
  workloads: {
    type: 'string',
    value: 'DIR',
    help: 'directory of the workloads of this node, a JSON file each; watched',
    defaultText: "node-proxy/workloads in Tulle's state directory",
    env: 'TULLE_NODE_WORKLOADS',
  },
} as const;

export function workloadsDirectory(io: Io, chosen: string | undefined): string {
  return chosen ?? join(tulleDirectories(io.env).state, 'node-proxy', 'workloads');
}

/** Directory of the running proxy's sockets. */
export function nodeProxyRunDirectory(io: Io): string {
  return join(tulleDirectories(io.env).run, 'node-proxy');
}
