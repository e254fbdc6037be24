import { type FSWatcher, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { fromBinary, fromJson, type JsonValue } from '@bufbuild/protobuf';
import {
  type DiscoveryResponse,
  DiscoveryResponseSchema,
} from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import type { DiscoverySource } from '../decode/discovery-source.ts';
import { resourceTypes } from '../decode/resource.ts';
import type { ClientRequest } from '../session/messages.ts';
import type { SideStream, SideStreamOptions } from './side-streams.ts';
import { createStateOfTheWorld } from './state-of-the-world.ts';

/**
 * Reads a file of resources.
 * @param path which tells the form: `.pb` is binary, everything else text
 * @throws Error that says what is wrong with it
 */
export type ParseFile = (path: string, content: Uint8Array) => DiscoveryResponse;

/** Binary in `.pb`, else JSON. */
export const parseJsonFile: ParseFile = (path, content) => {
  if (path.endsWith('.pb')) return fromBinary(DiscoveryResponseSchema, content);
  const json = JSON.parse(Buffer.from(content).toString('utf8')) as JsonValue;
  return fromJson(DiscoveryResponseSchema, json, { registry: resourceTypes });
};

/** Time in which a file that is being written is likely whole; a half one is refused, and read again as it changes. */
const SETTLE_MS = 50;
/** A file or directory that is not there is looked for again. */
const RETRY_MS = 1000;

/**
 * A file that holds a `DiscoveryResponse` (Envoy `path_config_source`), as a stream: what it says is told whenever it is replaced. Looks
 * at its directory, so that a file moved into its place and a directory swapped by a symbolic link are seen alike.
 */
export function createFileStream(
  source: Extract<DiscoverySource, { kind: 'file' }>,
  typeUrl: string,
  options: SideStreamOptions,
): SideStream {
  const { clock, log } = options;
  const path = resolve(source.path);
  const directory = source.watchedDirectory === undefined ? dirname(path) : resolve(source.watchedDirectory);
  const world = createStateOfTheWorld();
  let watcher: FSWatcher | undefined;
  let last: Buffer | undefined;
  let fault: string | undefined = 'not read yet';
  let reads = 0;
  let closed = false;
  let cancel = (): void => {};

  function soon(delayMs: number): void {
    cancel();
    cancel = clock.setTimer(delayMs, () => void read());
  }

  async function read(): Promise<void> {
    if (closed) return;
    try {
      watcher ??= watch(directory, { persistent: false }, () => soon(SETTLE_MS)).on('error', () => {
        watcher?.close();
        watcher = undefined;
        soon(RETRY_MS);
      });
      const content = await readFile(path);
      if (closed || last?.equals(content) === true) return;
      last = content;
      tell(options.parseFile(path, content));
    } catch (error) {
      fail(error instanceof Error ? error.message : String(error));
      if (last === undefined || watcher === undefined) soon(RETRY_MS);
    }
  }

  function tell(response: DiscoveryResponse): void {
    fault = undefined;
    const nonce = String(++reads);
    const versionInfo = response.versionInfo === '' ? `read ${nonce}` : response.versionInfo;
    options.response({ ...world.read({ ...response, typeUrl, nonce, versionInfo }), source });
  }

  function fail(reason: string): void {
    if (fault === reason) return;
    fault = reason;
    log?.warn('File of resources is not used; the last good one stays in use', { path, reason });
  }

  return {
    send(request: ClientRequest) {
      const isFirst = reads === 0 && fault === 'not read yet' && last === undefined;
      world.write(request, undefined);
      if (request.error) fail(request.error.message);
      else if (request.nonce === '' && !isFirst && request.subscribe.length > 0 && last !== undefined) {
        // Something else of the file is wanted now.
        last = undefined;
        soon(0);
      } else if (isFirst) void read();
    },
    close() {
      closed = true;
      cancel();
      watcher?.close();
    },
    get fault() {
      return fault;
    },
  };
}
