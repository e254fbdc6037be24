/** The service that is called. */
export const service: object = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web' },
  spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
};

/** Forbids a path: whether it holds is seen from outside. The sidecar `web` enforces it. */
export const forbid = (path: string): object => ({
  apiVersion: 'tulle.dev/v1alpha1',
  kind: 'AuthorizationPolicy',
  metadata: { name: 'forbidden' },
  spec: {
    targetRefs: [{ group: '', kind: 'Service', name: 'web' }],
    action: 'DENY',
    rules: [{ to: { paths: [path] } }],
  },
});

/** Answers a path itself: the sidecar `caller` does. */
export const redirect = (path: string): object => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: { name: 'web' },
  spec: {
    parentRefs: [{ group: '', kind: 'Service', name: 'web' }],
    rules: [
      {
        matches: [{ path: { type: 'PathPrefix', value: path } }],
        filters: [
          {
            type: 'RequestRedirect',
            requestRedirect: {
              statusCode: 302,
              path: { type: 'ReplaceFullPath', replaceFullPath: '/elsewhere' },
            },
          },
        ],
      },
      { backendRefs: [{ name: 'web', port: 80 }] },
    ],
  },
});
