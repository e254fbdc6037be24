import { FieldTable } from '@tulle/fields';
import type { ResponseFlag, Slot } from '@tulle/filter';
import type { WheelTimer } from '@tulle/time';
import type { Bytes } from '../bytes.ts';
import type { DataStep, PhaseTable } from '../chain/tables.ts';
import { MessageCounter } from '../grpc/message-counter.ts';
import type { UpstreamEndpoint } from '../sides.ts';
import type { RouteMetrics } from '../upstream/route-metrics.ts';
import type { MirrorFeed } from './mirror-feed.ts';
import {
  Extras,
  NO_COUNTERS,
  NO_ENDPOINTS,
  NO_FILTERS,
  NO_FLAGS,
  NO_NAMES,
  NO_SLOTS,
  NO_TRACE,
  type BodyHooks,
  type RetiredFilter,
} from './extras.ts';
import { StreamFlags } from './stream-flags.ts';
import { StreamTrace } from './stream-trace.ts';

export type { BodyHooks, RetiredFilter } from './extras.ts';

/**
 * What only few streams need stands in an object of its own, made for the first that does and kept with the pooled stream:
 * a quarter of what an idle stream would take.
 */
export abstract class StreamExtras extends StreamFlags {
  #extras: Extras | undefined = undefined;

  protected resetExtras(): void {
    this.#extras?.reset();
  }

  private own(): Extras {
    return (this.#extras ??= new Extras());
  }

  /** Counts messages of a gRPC call in a piece of its request: behind the request's hooks. */
  countRequest(chunk: Bytes, start: number, end: number): void {
    (this.own().requestCounter ??= new MessageCounter()).push(chunk, start, end);
  }

  /** The same of its response: before the response's hooks. */
  countResponse(chunk: Bytes, start: number, end: number): void {
    (this.own().responseCounter ??= new MessageCounter()).push(chunk, start, end);
  }

  get requestMessages(): number {
    return this.#extras?.requestCounter?.messages ?? 0;
  }

  get responseMessages(): number {
    return this.#extras?.responseCounter?.messages ?? 0;
  }

  /** Error code of what went wrong, or `''`. */
  get code(): string {
    return this.#extras === undefined ? '' : this.#extras.code;
  }

  set code(value: string) {
    if (this.#extras !== undefined || value !== '') this.own().code = value;
  }

  get details(): string {
    return this.#extras === undefined ? '' : this.#extras.details;
  }

  set details(value: string) {
    if (this.#extras !== undefined || value !== '') this.own().details = value;
  }

  /** Response flags, each once. */
  get flags(): readonly ResponseFlag[] {
    return this.#extras === undefined ? NO_FLAGS : this.#extras.flags;
  }

  set flags(value: readonly ResponseFlag[]) {
    if (this.#extras !== undefined || value !== NO_FLAGS) this.own().flags = value;
  }

  /** Written by {@link ownTrace} only. */
  get trace(): StreamTrace {
    return this.#extras === undefined ? NO_TRACE : this.#extras.trace;
  }

  /** Where the trace is written down. */
  ownTrace(): StreamTrace {
    const extras = this.own();
    if (extras.trace === NO_TRACE) extras.trace = new StreamTrace();
    return extras.trace;
  }

  /** The slot value of a filter, for the view. */
  getSlot<T>(slot: Slot<T>): T | undefined {
    return this.#extras?.slots.get(slot.name) as T | undefined;
  }

  setSlot<T>(slot: Slot<T>, value: T): void {
    this.own().slots.set(slot.name, value);
  }

  /** Filters that ran and are not in force any more after a rematch; they complete too. */
  get retired(): readonly RetiredFilter[] {
    return this.#extras === undefined ? NO_FILTERS : this.#extras.retired;
  }

  set retired(value: readonly RetiredFilter[]) {
    if (this.#extras !== undefined || value !== NO_FILTERS) this.own().retired = value;
  }

  get requestTrailers(): FieldTable | undefined {
    return this.#extras === undefined ? undefined : this.#extras.requestTrailers;
  }

  set requestTrailers(value: FieldTable | undefined) {
    if (this.#extras !== undefined || value !== undefined) this.own().requestTrailers = value;
  }

  /** The data hooks at work on the body of the request. */
  get requestPipe(): BodyHooks | undefined {
    return this.#extras === undefined ? undefined : this.#extras.requestPipe;
  }

  set requestPipe(value: BodyHooks | undefined) {
    if (this.#extras !== undefined || value !== undefined) this.own().requestPipe = value;
  }

  /** Slots of the filters that let the request's body pass untouched. */
  get requestChoices(): readonly number[] {
    return this.#extras === undefined ? NO_SLOTS : this.#extras.requestChoices;
  }

  set requestChoices(value: readonly number[]) {
    if (this.#extras !== undefined || value !== NO_SLOTS) this.own().requestChoices = value;
  }

  /** The data hooks of the request that are left then, and of which table. */
  get requestSteps(): readonly DataStep[] | null {
    return this.#extras === undefined ? null : this.#extras.requestSteps;
  }

  set requestSteps(value: readonly DataStep[] | null) {
    if (this.#extras !== undefined || value !== null) this.own().requestSteps = value;
  }

  get requestStepsOf(): PhaseTable | undefined {
    return this.#extras === undefined ? undefined : this.#extras.requestStepsOf;
  }

  set requestStepsOf(value: PhaseTable | undefined) {
    if (this.#extras !== undefined || value !== undefined) this.own().requestStepsOf = value;
  }

  /** Upgrade protocols asked for, when the route lets them pass. */
  get upgrade(): string | undefined {
    return this.#extras === undefined ? undefined : this.#extras.upgrade;
  }

  set upgrade(value: string | undefined) {
    if (this.#extras !== undefined || value !== undefined) this.own().upgrade = value;
  }

  /** The endpoint gets what the request carries, and no request (model `ConnectTermination`). */
  get toBytes(): boolean {
    return this.#extras === undefined ? false : this.#extras.toBytes;
  }

  set toBytes(value: boolean) {
    if (this.#extras !== undefined || value) this.own().toBytes = value;
  }

  /** When the caller of a gRPC call stops waiting, on the clock of `startMs`; 0: it does not say. */
  get deadlineMs(): number {
    return this.#extras === undefined ? 0 : this.#extras.deadlineMs;
  }

  set deadlineMs(value: number) {
    if (this.#extras !== undefined || value !== 0) this.own().deadlineMs = value;
  }

  /** In place of its route's timeout, 0 for none; below 0: nothing is said. */
  get toldTimeoutMs(): number {
    return this.#extras === undefined ? -1 : this.#extras.toldTimeoutMs;
  }

  set toldTimeoutMs(value: number) {
    if (this.#extras !== undefined || value !== -1) this.own().toldTimeoutMs = value;
  }

  /** Endpoints of the attempts before this one. */
  get tried(): readonly UpstreamEndpoint[] {
    return this.#extras === undefined ? NO_ENDPOINTS : this.#extras.tried;
  }

  set tried(value: readonly UpstreamEndpoint[]) {
    if (this.#extras !== undefined || value !== NO_ENDPOINTS) this.own().tried = value;
  }

  /** Why the loop did not repeat what a filter wanted repeated. */
  get retryRefused(): string {
    return this.#extras === undefined ? '' : this.#extras.retryRefused;
  }

  set retryRefused(value: string) {
    if (this.#extras !== undefined || value !== '') this.own().retryRefused = value;
  }

  /** Attempts on kept-alive connections that had gone. */
  get staleReplays(): number {
    return this.#extras === undefined ? 0 : this.#extras.staleReplays;
  }

  set staleReplays(value: number) {
    if (this.#extras !== undefined || value !== 0) this.own().staleReplays = value;
  }

  /** Copies of the request that are sent elsewhere. */
  get mirrors(): MirrorFeed | undefined {
    return this.#extras === undefined ? undefined : this.#extras.mirrors;
  }

  set mirrors(value: MirrorFeed | undefined) {
    if (this.#extras !== undefined || value !== undefined) this.own().mirrors = value;
  }

  /** What counts the request apart from others. */
  get counters(): readonly RouteMetrics[] {
    return this.#extras === undefined ? NO_COUNTERS : this.#extras.counters;
  }

  set counters(value: readonly RouteMetrics[]) {
    if (this.#extras !== undefined || value !== NO_COUNTERS) this.own().counters = value;
  }

  /** Of what it has in common with others, where its cluster goes by that; below 0: nothing. */
  get hash(): number {
    return this.#extras === undefined ? -1 : this.#extras.hash;
  }

  set hash(value: number) {
    if (this.#extras !== undefined || value !== -1) this.own().hash = value;
  }

  /** By which it falls into the shares that routes take; below 0: it was not asked for yet. */
  get drawn(): number {
    return this.#extras === undefined ? -1 : this.#extras.drawn;
  }

  set drawn(value: number) {
    if (this.#extras !== undefined || value !== -1) this.own().drawn = value;
  }

  /** How often the request was led on by answers before this one. */
  get redirects(): number {
    return this.#extras === undefined ? 0 : this.#extras.redirects;
  }

  set redirects(value: number) {
    if (this.#extras !== undefined || value !== 0) this.own().redirects = value;
  }

  /** From which routes to which, where those say that it may be once only. */
  get redirectedBy(): readonly string[] {
    return this.#extras === undefined ? NO_NAMES : this.#extras.redirectedBy;
  }

  set redirectedBy(value: readonly string[]) {
    if (this.#extras !== undefined || value !== NO_NAMES) this.own().redirectedBy = value;
  }

  /** `Set-Cookie` by which the caller's next request has the same hash. */
  get hashCookie(): string {
    return this.#extras === undefined ? '' : this.#extras.hashCookie;
  }

  set hashCookie(value: string) {
    if (this.#extras !== undefined || value !== '') this.own().hashCookie = value;
  }

  /** Where the caller's session is. */
  get sessionEndpoint(): UpstreamEndpoint | undefined {
    return this.#extras === undefined ? undefined : this.#extras.sessionEndpoint;
  }

  set sessionEndpoint(value: UpstreamEndpoint | undefined) {
    if (this.#extras !== undefined || value !== undefined) this.own().sessionEndpoint = value;
  }

  /** Since when, milliseconds since 1970. */
  get sessionBornMs(): number {
    return this.#extras === undefined ? 0 : this.#extras.sessionBornMs;
  }

  set sessionBornMs(value: number) {
    if (this.#extras !== undefined || value !== 0) this.own().sessionBornMs = value;
  }

  get responseTrailers(): FieldTable | undefined {
    return this.#extras === undefined ? undefined : this.#extras.responseTrailers;
  }

  set responseTrailers(value: FieldTable | undefined) {
    if (this.#extras !== undefined || value !== undefined) this.own().responseTrailers = value;
  }

  /** The data hooks at work on the body of the response. */
  get responsePipe(): BodyHooks | undefined {
    return this.#extras === undefined ? undefined : this.#extras.responsePipe;
  }

  set responsePipe(value: BodyHooks | undefined) {
    if (this.#extras !== undefined || value !== undefined) this.own().responsePipe = value;
  }

  /** Slots of the filters that let the response's body pass untouched. */
  get responseChoices(): readonly number[] {
    return this.#extras === undefined ? NO_SLOTS : this.#extras.responseChoices;
  }

  set responseChoices(value: readonly number[]) {
    if (this.#extras !== undefined || value !== NO_SLOTS) this.own().responseChoices = value;
  }

  /** Fields of a reply of our own. */
  get localFields(): FieldTable {
    return (this.own().localFields ??= new FieldTable());
  }

  /** Body of a reply of our own. */
  get replyBody(): Bytes | undefined {
    return this.#extras === undefined ? undefined : this.#extras.replyBody;
  }

  set replyBody(value: Bytes | undefined) {
    if (this.#extras !== undefined || value !== undefined) this.own().replyBody = value;
  }

  /** Notes that did not fit. */
  get notesDropped(): number {
    return this.#extras === undefined ? 0 : this.#extras.notesDropped;
  }

  set notesDropped(value: number) {
    if (this.#extras !== undefined || value !== 0) this.own().notesDropped = value;
  }

  /** Path that routes were matched by, where a rewrite changed it; else `''`. */
  get matchedPath(): string {
    return this.#extras === undefined ? '' : this.#extras.matchedPath;
  }

  set matchedPath(value: string) {
    if (this.#extras !== undefined || value !== '') this.own().matchedPath = value;
  }

  /** The same of the authority. */
  get matchedAuthority(): string {
    return this.#extras === undefined ? '' : this.#extras.matchedAuthority;
  }

  set matchedAuthority(value: string) {
    if (this.#extras !== undefined || value !== '') this.own().matchedAuthority = value;
  }

  /** Request fields before attempt filters touched them; made only where there are such filters. */
  get savedFields(): FieldTable | undefined {
    return this.#extras === undefined ? undefined : this.#extras.savedFields;
  }

  set savedFields(value: FieldTable | undefined) {
    if (this.#extras !== undefined || value !== undefined) this.own().savedFields = value;
  }

  /** Response trailers, copied from the decoder that goes on to other streams. */
  get savedTrailers(): FieldTable | undefined {
    return this.#extras === undefined ? undefined : this.#extras.savedTrailers;
  }

  set savedTrailers(value: FieldTable | undefined) {
    if (this.#extras !== undefined || value !== undefined) this.own().savedTrailers = value;
  }

  /** When the time of the attempt is over, of a route that has one without a byte too; else 0. */
  get tryEndMs(): number {
    return this.#extras === undefined ? 0 : this.#extras.tryEndMs;
  }

  set tryEndMs(value: number) {
    this.own().tryEndMs = value;
  }

  /** Made when it is armed first, then kept. */
  get perTryTimer(): WheelTimer | undefined {
    return this.#extras === undefined ? undefined : this.#extras.perTryTimer;
  }

  set perTryTimer(value: WheelTimer | undefined) {
    if (this.#extras !== undefined || value !== undefined) this.own().perTryTimer = value;
  }

  /** Likewise. */
  get tryIdleTimer(): WheelTimer | undefined {
    return this.#extras === undefined ? undefined : this.#extras.tryIdleTimer;
  }

  set tryIdleTimer(value: WheelTimer | undefined) {
    if (this.#extras !== undefined || value !== undefined) this.own().tryIdleTimer = value;
  }

  /** Likewise. */
  get retryTimer(): WheelTimer | undefined {
    return this.#extras === undefined ? undefined : this.#extras.retryTimer;
  }

  set retryTimer(value: WheelTimer | undefined) {
    if (this.#extras !== undefined || value !== undefined) this.own().retryTimer = value;
  }

  /** Where the whole request must come in some time. */
  get receiveTimer(): WheelTimer | undefined {
    return this.#extras === undefined ? undefined : this.#extras.receiveTimer;
  }

  set receiveTimer(value: WheelTimer | undefined) {
    if (this.#extras !== undefined || value !== undefined) this.own().receiveTimer = value;
  }

  /** Where its chain's logs are told, time and again, that it goes on. */
  get logTimer(): WheelTimer | undefined {
    return this.#extras === undefined ? undefined : this.#extras.logTimer;
  }

  set logTimer(value: WheelTimer | undefined) {
    if (this.#extras !== undefined || value !== undefined) this.own().logTimer = value;
  }

  /** Where request and response must be over in some time. */
  get durationTimer(): WheelTimer | undefined {
    return this.#extras === undefined ? undefined : this.#extras.durationTimer;
  }

  set durationTimer(value: WheelTimer | undefined) {
    if (this.#extras !== undefined || value !== undefined) this.own().durationTimer = value;
  }

  /** By which the caller came, where a proxy before this one is believed in that. */
  get toldScheme(): 'http' | 'https' | undefined {
    return this.#extras === undefined ? undefined : this.#extras.toldScheme;
  }

  set toldScheme(value: 'http' | 'https' | undefined) {
    if (this.#extras !== undefined || value !== undefined) this.own().toldScheme = value;
  }

  /** Who called, where fields of the request are believed in that; `''`: the peer of the connection. */
  get clientAddress(): string {
    return this.#extras === undefined ? '' : this.#extras.clientAddress;
  }

  set clientAddress(value: string) {
    if (this.#extras !== undefined || value !== '') this.own().clientAddress = value;
  }
}
