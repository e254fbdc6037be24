import { describe, expect, it } from 'vitest';
import { readRequest } from './imagined-request.ts';

describe('a request on the command line', () => {
  it('is a method, a URL and fields, of which each may be repeated', () => {
    const { method, url, headers } = readRequest('GET', 'http://orders/a?b', ['X-Role: admin', 'x-role:dev']);
    expect([method, url.href, headers]).toEqual(['GET', 'http://orders/a?b', { 'x-role': ['admin', 'dev'] }]);
  });

  it('is a gRPC call where the method is grpc', () => {
    const { method, url, headers } = readRequest('gRPC', 'http://orders/shop.v1.Orders/Place', [
      'tenant: gold',
    ]);
    expect([method, url.pathname]).toEqual(['POST', '/shop.v1.Orders/Place']);
    expect(headers).toEqual({ tenant: ['gold'], 'content-type': ['application/grpc'], te: ['trailers'] });
    expect(
      readRequest('grpc', 'http://o/a.B/C', ['content-type: application/grpc+json']).headers,
    ).toMatchObject({
      'content-type': ['application/grpc+json'],
    });
  });

  it.each([
    ['GET', 'orders/items', [], 'is no URL'],
    ['GET', 'http://orders/', ['role'], 'there is no colon'],
    ['grpc', 'http://orders/shop.v1.Orders', [], 'names no method'],
    ['grpc', 'http://orders/', [], 'names no method'],
  ])('%s %s is refused', (method, url, fields, says) => {
    expect(() => readRequest(method, url, fields)).toThrow(says);
  });
});
