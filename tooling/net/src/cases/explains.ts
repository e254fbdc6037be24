import { deepStrictEqual as same, match, rejects } from 'node:assert/strict';
import type { Case } from '@tulle/interop/suite';
import type { Mesh } from '../mesh.ts';
import { until } from '../until.ts';

interface Explained {
  readonly explanations: readonly {
    readonly explanation: {
      readonly status: number;
      readonly reasons: readonly {
        readonly site: string;
        readonly subject: string;
        readonly outcome: string;
        readonly children?: readonly { readonly subject: string }[];
      }[];
    };
  }[];
}

/** What is said of calls that nobody made, from programs whose connections are captured. */
export const explains: readonly Case<Mesh>[] = [
  {
    name: 'tulle explain --from tells where a captured call would go, by name and port as the program says them',
    async run(mesh) {
      const explain = async (url: string): Promise<string> =>
        mesh.toEnd(['explain', 'GET', url, '--from', 'plain', '-o', 'json']);
      // The endpoint joined a moment ago.
      await until(
        async () => (await explain('http://pod/')).includes('would forward'),
        'the endpoint is known',
        30_000,
      );
      for (const [url, port] of [
        ['http://pod/', 80],
        ['http://pod.default.svc.mesh.local:90/', 90],
      ] as const) {
        const [first] = (JSON.parse(await explain(url)) as Explained).explanations;
        const reached = first?.explanation.reasons.find(({ site }) => site === 'cluster');
        same(
          [first?.explanation.status, reached?.subject, reached?.outcome],
          [0, `outbound|${port}||pod.default.svc.mesh.local`, 'would forward'],
        );
        match(reached?.children?.[0]?.subject ?? '', /^10\.77\.0\.2:/);
      }
      await rejects(explain('http://nobody/'), /of no nobody with port 80/);
    },
  },
];
