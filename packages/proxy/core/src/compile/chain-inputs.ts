import type { ChainChoice, ChainCondition, ChainInput } from '@tulle/model';
import { type ConnectionSigns, isLocal } from './connection-signs.ts';

/** Says what an input is of a connection; `undefined`: it is not there. */
export type InputReader = (signs: ConnectionSigns) => string | undefined;

/** What has no address has no port either. */
const READERS: Readonly<Record<Exclude<ChainInput, object>, InputReader>> = {
  'destination-ip': ({ destinationAddress }) => destinationAddress || undefined,
  'destination-port': ({ destinationAddress, destinationPort }) =>
    destinationAddress === '' ? undefined : `${destinationPort}`,
  'source-ip': ({ sourceAddress }) => sourceAddress || undefined,
  'source-port': ({ sourceAddress, sourcePort }) => (sourceAddress === '' ? undefined : `${sourcePort}`),
  'direct-source-ip': ({ directAddress }) => directAddress || undefined,
  'source-type': (signs) => (isLocal(signs) ? 'local' : undefined),
  'server-name': ({ serverName }) => serverName || undefined,
  'transport-protocol': ({ tls }) => (tls === true ? 'tls' : 'raw_buffer'),
  'application-protocols': ({ applicationProtocols: offered }) =>
    offered.length === 0 ? undefined : `'${offered.join("','")}'`,
};

export function readerOf(input: ChainInput): InputReader {
  if (typeof input === 'string') return READERS[input];
  const { filterState: key } = input;
  return ({ filterState }) =>
    filterState !== undefined && Object.hasOwn(filterState, key) ? filterState[key] : undefined;
}

/** Every input that a choice looks at. */
export function inputsOf(choice: ChainChoice | undefined): readonly ChainInput[] {
  if (choice === undefined || choice.kind === 'chain') return [];
  const otherwise = inputsOf(choice.otherwise);
  switch (choice.kind) {
    case 'list':
      return [
        ...choice.of.flatMap(({ when, choose }) => [...inputsOfCondition(when), ...inputsOf(choose)]),
        ...otherwise,
      ];
    case 'networks':
      return [choice.input, ...choice.of.flatMap(({ choose }) => inputsOf(choose)), ...otherwise];
    case 'exact':
    case 'prefix':
      return [choice.input, ...Object.values(choice.values).flatMap(inputsOf), ...otherwise];
  }
}

function inputsOfCondition(condition: ChainCondition): readonly ChainInput[] {
  if (condition.kind === 'input') return [condition.input];
  return condition.kind === 'not' ? inputsOfCondition(condition.of) : condition.of.flatMap(inputsOfCondition);
}
