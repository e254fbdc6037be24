import { told, type Case } from './case.ts';
import { A, service, route } from './yaml.ts';

/** Documents: YAML, kinds, and what every kind has. */
export const DOCUMENTS: readonly Case[] = [
  told('a flow mapping without end', 'apiVersion: v1\nkind: Service\nmetadata: { name: a\nspec: {}\n', [
    'TULLE0101',
    4,
    'spec: {}',
    'flow map',
  ]),
  told(
    'a tab as indentation hides no other document',
    `kind: Service\nmetadata:\n\tname: a\n---\n${service('b', 'ports: [{ port: 0 }]')}`,
    ['TULLE0101', 3, '\tname: a', 'tabs'],
    ['TULLE0204', 8, '0 }] }', 'between 1 and 65535'],
  ),
  told(
    'a key that is there twice',
    `${A}apiVersion: v1\nkind: Service\nmetadata: { name: b, name: c }\nspec: { ports: [{ port: 80 }] }`,
    ['TULLE0101', 8, 'name: c }', 'unique'],
  ),
  told('a text that is no mapping', 'just words', ['TULLE0102', 1, 'just words', 'just words']),
  told('a mapping without kind', 'a: 1', ['TULLE0102', 1, 'a: 1', 'no kind']),
  told('a misspelt kind', 'apiVersion: v1\nkind: Servce\nmetadata: {name: a}', [
    'TULLE0103',
    2,
    'Servce',
    'did you mean "Service"?',
  ]),
  told('a kind of another program', 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}', [
    'TULLE0103',
    2,
    'Deployment',
    'kinds: Service, Workload',
  ]),
  told(
    'an old apiVersion',
    'apiVersion: gateway.networking.k8s.io/v1beta1\nkind: HTTPRoute\nmetadata: {name: a}',
    ['TULLE0104', 1, 'gateway.networ', 'gateway.networking.k8s.io/v1'],
  ),
  told('nesting without end', `a: ${'['.repeat(100)}${']'.repeat(100)}`, [
    'TULLE0105',
    1,
    'a: [[[[[[[[[[[',
    'deeper',
  ]),
  told('a misspelt field', service('a', 'prots: [], ports: [{ port: 80 }]'), [
    'TULLE0201',
    4,
    'prots: [], por',
    'did you mean "ports"?',
  ]),
  told('text for a number', service('a', 'ports: [{ port: "80" }]'), [
    'TULLE0202',
    4,
    '"80" }] }',
    'whole number',
  ]),
  told(
    'a field with nothing after it',
    'apiVersion: v1\nkind: Service\nmetadata: { name: a }\nspec:\n  selector:\n  ports: [{ port: 80 }]',
    ['TULLE0202', 5, 'selector:', 'no value'],
  ),
  told('a field that is missing', service('a', 'selector: { app: a }'), [
    'TULLE0203',
    4,
    '{ selector: { ',
    '"ports"',
  ]),
  told('several ports without names', service('a', 'ports: [{ port: 80, name: x }, { port: 81 }]'), [
    'TULLE0203',
    4,
    '{ port: 81 }] ',
    'name',
  ]),
  told('a name in capitals', service('Reviews'), ['TULLE0205', 3, 'Reviews }', 'name']),
  told('no port at all', service('a', 'ports: []'), ['TULLE0207', 4, '[] }', 'at least 1 element']),
  told('one name twice', A + A, ['TULLE0209', 8, 'a }', '3:19']),
  told(
    'a document that breaks the schema still exists for others',
    service('b', 'selector: {}') + A + route('  rules: [{ backendRefs: [{ name: b, port: 80 }] }]'),
    ['TULLE0203', 4, '{ selector: {}', 'ports'],
  ),
  told(
    'a document with a syntax fault still exists for others',
    `apiVersion: v1\nkind: Service\nmetadata: { name: b }\nspec: { ports: [ }\n---\n${A}${route('  rules: [{ backendRefs: [{ name: b, port: 80 }] }]')}`,
    ['TULLE0101', 4, '}', 'end with a ]'],
  ),
  told(
    'kinds of the Gateway API that are not there',
    ['Mesh']
      .map(
        (kind) =>
          `apiVersion: gateway.networking.k8s.io/v1\nkind: ${kind}\nmetadata: { name: a }\nspec: {}\n---\n`,
      )
      .join(''),
    ['TULLE0103', 2, 'Mesh', 'GatewayClass'],
  ),
];
