/**
 * A proxy or a whole mesh in one test: memory transport, fake clock, scripted upstreams. The production engine runs;
 * time, chance and the network are the test's.
 * @packageDocumentation
 */
export { fakeClock } from './fake-clock.ts';
export { wallClock } from './wall-clock.ts';
export { realService } from './real-service.ts';
export type { FakeClock } from './fake-clock.ts';
export { MemorySocket } from './memory-socket.ts';
export type { Wire } from './memory-socket.ts';
export { memoryNetwork } from './memory-network.ts';
export type { Caller, Machine, MachineNetwork, MemoryNetwork, ServiceTls } from './memory-network.ts';
export { TestConnection } from './test-connection.ts';
export { duplexOf } from './memory-duplex.ts';
export { header, headerAll, readMessage } from './message.ts';
export type { Message } from './message.ts';
export { formatChunks, formatRequest, HttpClient } from './http-client.ts';
export type { TestRequest, TestResponse } from './http-client.ts';
export { Http2Client, responseOf } from './http2-client.ts';
export { grpcFrame, grpcUpstream } from './grpc-upstream.ts';
export type { GrpcReply } from './grpc-upstream.ts';
export { http2Upstream } from './http2-upstream.ts';
export type { Http2Upstream } from './http2-upstream.ts';
export { formatAnswer, httpUpstream } from './upstream.ts';
export type { Answer, Upstream, UpstreamRequest } from './upstream.ts';
export { memoryLog, memoryMeter, memoryTelemetry } from './observers.ts';
export type { KeptRecord, MemoryLog, MemoryMeter, MemoryTelemetry } from './observers.ts';
export { labelKey, parseMetricsPage } from './metrics-page.ts';
export type { ParsedFamily, ParsedSample } from './metrics-page.ts';
export { streamRecord } from './stream-record.ts';
export { seededRandom } from './seeded-random.ts';
export { testProxy } from './test-proxy.ts';
export type { TestProxy, TestProxyOptions } from './test-proxy.ts';
export { runChain } from './run-chain.ts';
export type { ChainResult, ChainRun } from './run-chain.ts';
