import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { bundle } from '../bundle.ts';
import { engineProcess } from '../engine-cost.ts';
import type { EngineResult } from '../engine-run.ts';
import { FILTER_ABOUT, type FilterChoice, type FilterName } from '../filter-uses.ts';
import { median, spread } from '../stats.ts';
import type { Study } from './study.ts';

const REQUESTS = 200_000;

/** What a filter adds to a request, each alone on an engine without a kernel: over sockets most of it would drown. */
export const filtersEach: Study = {
  name: 'filters-each',
  about: 'each standard filter on and off, the engine without a kernel, HTTP/1.1, 32 connections',
  async run({ options, directory, progress }) {
    const program = await bundle(
      fileURLToPath(new URL('../filters-process.ts', import.meta.url)),
      join(directory, 'filters'),
    );
    const { token, keys } = await signedToken();
    const names: FilterChoice['name'][] = ['none', ...(Object.keys(FILTER_ABOUT) as FilterName[])];
    const results = new Map<FilterChoice['name'], EngineResult[]>(names.map((name) => [name, []]));
    for (let round = 0; round < options.rounds; round++) {
      for (const name of round % 2 === 0 ? names : names.toReversed()) {
        progress(`filters-each: round ${round + 1} of ${options.rounds}, ${name}`);
        const result = await engineProcess(program, {
          mesh: false,
          accessLogFile: join(directory, 'filters/access.log'),
          connections: 32,
          requests: REQUESTS,
          moreHeaders: `Origin: https://shop.example\r\nAuthorization: Bearer ${token}\r\n`,
          filter: { name, keys },
        });
        results.get(name)?.push(result);
      }
    }
    const bare = results.get('none') as EngineResult[];
    const figures = names.map((name) => {
      const own = results.get(name) as EngineResult[];
      const added = own.map(({ userUs }, round) => userUs - (bare[round] as EngineResult).userUs);
      const bytes = own.map(
        (one, round) => one.bytesPerRequest - (bare[round] as EngineResult).bytesPerRequest,
      );
      return {
        filter: name,
        about: name === 'none' ? 'forwarding alone' : FILTER_ABOUT[name],
        userUs: median(own.map(({ userUs }) => userUs)),
        addedUs: median(added),
        addedUsSpread: spread(added),
        addedBytes: median(bytes),
      };
    });
    return { figures, text: text(figures, options.rounds) };
  },
};

function text(
  figures: readonly {
    readonly filter: string;
    readonly about: string;
    readonly userUs: number;
    readonly addedUs: number;
    readonly addedUsSpread: readonly [number, number];
    readonly addedBytes: number;
  }[],
  rounds: number,
): string {
  const lines = figures.map(
    ({ filter, about, userUs, addedUs, addedUsSpread: [least, greatest], addedBytes }) =>
      `  ${filter.padEnd(14)}${userUs.toFixed(2).padStart(14)}${addedUs.toFixed(2).padStart(12)}${`${least.toFixed(2)}–${greatest.toFixed(2)}`.padStart(16)}${addedBytes.toFixed(0).padStart(14)}  ${about}`,
  );
  return `  filter        user µs/request    added µs          spread   added bytes\n${lines.join('\n')}\nmedians of ${rounds} processes of ${REQUESTS} requests\n`;
}

async function signedToken(): Promise<{ token: string; keys: object[] }> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const token = await new SignJWT({ scope: 'items' })
    .setProtectedHeader({ alg: 'ES256', kid: 'bench' })
    .setIssuer('https://login.example/')
    .setAudience('shop')
    .setSubject('alice')
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(privateKey);
  return { token, keys: [{ ...(await exportJWK(publicKey)), kid: 'bench', alg: 'ES256', use: 'sig' }] };
}
