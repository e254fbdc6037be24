import type { ResourceDecoder } from '../decode/resource.ts';
import { parseResourceName } from '../decode/resource-name.ts';
import type { FindSecret } from '../decode/secret.ts';
import type { ResourceKind } from '../wire.ts';
import type { ServerResponse } from './messages.ts';
import { type Held, isPart, type Store } from './store.ts';

/** What a response held. */
export interface Received {
  readonly taken: readonly (readonly [string, Held])[];
  readonly refused: readonly { readonly name: string; readonly reasons: readonly string[] }[];
}

/** What is needed to judge it. */
export interface ReceiveOptions {
  readonly decoder: ResourceDecoder;
  readonly fixedSecret?: FindSecret;
  readonly active: Store;
  /** Further resources that may be held. */
  readonly room: number;
  /** Whether a name was asked for; what was not, e.g. because it crossed an unsubscription, is passed over. */
  wanted(name: string): boolean;
}

/** A name that is not repeated inside: of the new kind, or of a virtual host, whose routes it names too. */
function saysItself(kind: ResourceKind, name: string): boolean {
  return kind === 'virtual-host' || parseResourceName(name) !== undefined;
}

/** Translates each resource by itself: one that is bad does not touch the others. */
export function readResources(
  kind: ResourceKind,
  response: ServerResponse,
  options: ReceiveOptions,
): Received {
  const taken: [string, Held][] = [];
  const refused: { name: string; reasons: string[] }[] = [];
  const counts = new Map<string, number>();
  for (const { name } of response.resources) counts.set(name, (counts.get(name) ?? 0) + 1);
  const removed = new Set(response.removed);
  for (const [name, count] of counts) {
    if (options.active[kind].get(name)?.fixed === true)
      refused.push({ name, reasons: ['has the name of a static one, which stays'] });
    else if (count > 1) refused.push({ name, reasons: ['is in the response more than once'] });
    else if (removed.has(name)) refused.push({ name, reasons: ['is both sent and removed'] });
  }
  const ambiguous = new Set(refused.map(({ name }) => name));
  for (const { name, version, any, ttlMs } of response.resources) {
    if (ambiguous.has(name) || !options.wanted(name)) continue;
    const held: Held | undefined = options.active[kind].get(name);
    if (any === undefined && ttlMs !== undefined) {
      continue; // a heartbeat: its time begins anew, and what came since stays
    }
    if (held && held.version === version && version !== '') {
      taken.push([name, held]); // one version is one content
      continue;
    }
    if (taken.length >= options.room && !held) {
      refused.push({ name, reasons: ['there is no room for another resource (maxResources)'] });
      continue;
    }
    const decoded = options.decoder.decode(
      kind,
      any,
      response.source,
      options.fixedSecret && { secret: options.fixedSecret },
    );
    if (!decoded.ok)
      refused.push({
        name,
        reasons: decoded.issues.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)),
      });
    else if (decoded.resource.name !== name && !saysItself(kind, name))
      refused.push({ name, reasons: [`is named "${decoded.resource.name}" inside`] });
    else {
      const needs = decoded.needs.filter(
        ({ kind: of, source, timeoutMs }) =>
          isPart(of) ||
          of === 'virtual-host' ||
          of === 'scoped-route' ||
          source.kind !== 'ads' ||
          timeoutMs !== undefined,
      );
      const fill: Held['fill'] = needs.some(({ kind: of }) => isPart(of))
        ? ({ secret, extension }) =>
            options.decoder.decode(kind, any, response.source, {
              secret: (one) => secret?.(one) ?? options.fixedSecret?.(one),
              ...(extension && { extension }),
            })
        : undefined;
      taken.push([
        name,
        {
          version,
          // A name that says where it is from is the one in the envelope, whatever is inside.
          resource: decoded.resource.name === name ? decoded.resource : { ...decoded.resource, name },
          ...(needs.length > 0 && { needs }),
          ...(fill && { fill }),
        },
      ]);
    }
  }
  return { taken, refused };
}
