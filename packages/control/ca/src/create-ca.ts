import {
  controlPlaneId,
  parseSpiffeId,
  publicKeyPin,
  readCsr,
  SpiffeIdError,
  toPem,
  trustDomainFault,
  workloadId,
} from '@tulle/spiffe';
import { systemClock } from '@tulle/time';
import { openAuthorities, type Authorities, type Lifetimes } from './authorities.ts';
import type { Ca, CaOptions, Caller, CaStatus, IssuedSvid, RootRotationStatus } from './ca.ts';
import type { IssueKind } from './ca-events.ts';
import type { StoredAuthority } from './ca-state.ts';
import { validityOf } from './certificates.ts';
import { judgeCsr } from './csr-policy.ts';
import { CaError } from './errors.ts';
import { openHolders, type Holders } from './holders.ts';
import { joinTokens } from './join-tokens.ts';

const dayMs = 24 * 3_600_000;
/** Holders that are named of those that a rotation waits for. */
const maxWaitingNamed = 100;

/**
 * Opens the CA that the store holds, or makes a new one in an empty store.
 * @throws {StoreError} when the store's content cannot be used, or another process uses it; {RangeError} for lifetimes that do not fit together.
 */
export async function createCa(options: CaOptions): Promise<Ca> {
  const { trustDomain, store } = options;
  const clock = options.clock ?? systemClock();
  const report = options.onEvent ?? ((): void => undefined);
  const fault = trustDomainFault(trustDomain);
  if (fault !== undefined) throw new SpiffeIdError(`trustDomain ${JSON.stringify(trustDomain)}: ${fault}`);
  const lifetimes = lifetimesOf(options);
  const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

  const lock = await store.lock?.();
  let holders: Holders;
  let authorities: Authorities;
  const tokens = joinTokens({
    store,
    trustDomain,
    epochMs: () => clock.epochMs(),
    maxTokens: options.maxTokens ?? 10_000,
  });
  try {
    holders = await openHolders({
      store,
      clock,
      skewMs: lifetimes.skewMs,
      maxHolders: options.maxHolders ?? 20_000,
      onChange: () => authorities.proceed(),
      onSaveFailed: (error) => report({ kind: 'failed', how: 'save', detail: messageOf(error) }),
    });
    authorities = await openAuthorities({
      store,
      clock,
      trustDomain,
      lifetimes,
      report,
      unconfirmed: (generation) => holders.live().filter((one) => one.bundleGeneration < generation).length,
      awaited: (pin) => tokens.pinned(pin),
      sweep: () => tokens.sweep(),
    });
  } catch (error) {
    lock?.release();
    throw error;
  }

  const sign = async (
    how: IssueKind,
    spiffeId: string,
    spki: Buffer,
    { peer }: Caller = {},
  ): Promise<IssuedSvid> => {
    // Taken first: a leaf that a rotation overtakes carries the old epoch and is renewed once more.
    const { leafEpoch } = authorities.state;
    const { issuer, leaf, chainDer } = await authorities.signer();
    const nowMs = clock.epochMs();
    const notAfterMs = nowMs + lifetimes.leafMs;
    if (notAfterMs > issuer.notAfterMs)
      throw new CaError(
        'issuer-too-short',
        `a leaf until ${new Date(notAfterMs).toISOString()} would outlive its issuer (${new Date(issuer.notAfterMs).toISOString()}); the root ends soon: replace it with rotate-root`,
      );
    const der = await leaf.sign({ spiffeId, spki, notBeforeMs: nowMs - lifetimes.skewMs, notAfterMs });
    const validity = validityOf(der);
    const { serial, notAfterMs: untilMs } = validity;
    report({
      kind: 'issued',
      how,
      spiffeId,
      serial,
      notAfterMs: untilMs,
      ...(peer === undefined ? {} : { peer }),
    });
    const certificateChainDer = [der, ...chainDer];
    return {
      spiffeId,
      certificateChainDer,
      certificateChainPem: certificateChainDer.map((one) => toPem('CERTIFICATE', one)).join(''),
      ...validity,
      leafEpoch,
      bundles: authorities.published().bundles,
    };
  };

  const reported = async <T>(
    how: IssueKind,
    csrDer: Uint8Array,
    from: Caller | undefined,
    work: () => Promise<T>,
  ): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (error instanceof CaError) {
        const askedId = namedIn(csrDer);
        report({
          kind: 'refused',
          how,
          reason: error.reason,
          detail: error.message,
          ...(askedId === undefined ? {} : { askedId }),
          ...(from?.peer === undefined ? {} : { peer: from.peer }),
        });
      } else report({ kind: 'failed', how, detail: messageOf(error) });
      throw error;
    }
  };
  const inDomain = (spiffeId: string): string => {
    const id = parseSpiffeId(spiffeId);
    if (id.trustDomain !== trustDomain || id.path === '')
      throw new CaError(
        'foreign-identity',
        `${spiffeId} is no workload of the trust domain ${trustDomain}, which is all this CA may certify`,
      );
    return id.text;
  };
  const rootPin = (): string => publicKeyPin(authorities.signingRoot.certificatePem);

  const close = async (): Promise<void> => {
    await authorities.close();
    await holders
      .flush()
      .catch((error: unknown) => report({ kind: 'failed', how: 'save', detail: messageOf(error) }));
    lock?.release();
  };
  let closing: Promise<void> | undefined;

  // A rotation that was under way when the CA was closed.
  authorities.proceed();
  return {
    trustDomain,
    get rootPin() {
      return rootPin();
    },
    published: () => authorities.published(),
    subscribe: (fn) => authorities.subscribe(fn),
    async createJoinToken(request) {
      const { namespace, serviceAccount } = request;
      const spiffeId = workloadId({ trustDomain, namespace, serviceAccount });
      if (spiffeId === controlPlaneId(trustDomain))
        throw new CaError(
          'reserved-identity',
          `${spiffeId} is the control plane's own identity; no workload may join as it`,
        );
      const token = await tokens.create(request, rootPin());
      report({ kind: 'token-created', id: token.id, spiffeId: token.spiffeId });
      return token;
    },
    async revokeJoinToken(id) {
      const revoked = await tokens.revoke(id);
      if (revoked) report({ kind: 'token-revoked', id });
      return revoked;
    },
    joinTokens: () => tokens.list(),
    grantedLabels: (spiffeId) => holders.granted(spiffeId),
    attest: (joinToken, csrDer, from = {}) =>
      reported('attest', csrDer, from, async () => {
        const token = await tokens.check(joinToken);
        const { spiffeId, labels } = token.record;
        const csr = judgeCsr(csrDer, spiffeId);
        await tokens.spend(token, publicKeyPin(csr.spki));
        const issued = await sign('attest', spiffeId, csr.spki, from);
        await holders.attested(from, spiffeId, labels, issued.notAfterMs);
        return issued;
      }),
    renew: (callerId, csrDer, from = {}) =>
      reported('renew', csrDer, from, async () => {
        const issued = await sign('renew', callerId, judgeCsr(csrDer, inDomain(callerId)).spki, from);
        holders.renewed(from, callerId, issued.notAfterMs);
        return issued;
      }),
    issueLocal: (spiffeId, csrDer) =>
      reported('local', csrDer, undefined, async () =>
        sign('local', spiffeId, judgeCsr(csrDer, inDomain(spiffeId)).spki),
      ),
    rotateIssuer: () => authorities.rotateIssuer(),
    rotateLeaves: () => authorities.rotateLeaves(),
    rotateRoot: () => authorities.rotateRoot(),
    switchRoot: () => authorities.switchRoot(),
    removeOldRoot: () => authorities.removeOldRoot(),
    abandonRootRotation: () => authorities.abandonRootRotation(),
    confirm(callerId, holder, inUse) {
      const notAfterMs = clock.epochMs() + lifetimes.leafMs;
      holders.confirmed(holder, callerId, { ...inUse, notAfterMs });
    },
    watching: (callerId, holder) => holders.watching(holder, callerId),
    status: () => statusOf(trustDomain, authorities, holders),
    close: () => (closing ??= close()),
  };
}

function lifetimesOf(options: CaOptions): Lifetimes {
  const rootMs = options.rootLifetimeMs ?? 3650 * dayMs;
  const issuerMs = options.issuerLifetimeMs ?? 90 * dayMs;
  const leafMs = options.leafLifetimeMs ?? dayMs;
  if (leafMs < 10_000)
    throw new RangeError(
      `leafLifetimeMs is ${leafMs}; at least 10000 (10 s), so that a leaf can be renewed in time`,
    );
  if (issuerMs < 3 * leafMs)
    throw new RangeError(
      `issuerLifetimeMs is ${issuerMs}; at least three leaf lifetimes (${3 * leafMs}), so that issuers overlap`,
    );
  if (rootMs < issuerMs)
    throw new RangeError(`rootLifetimeMs is ${rootMs}; at least the issuer's ${issuerMs}`);
  return { rootMs, issuerMs, leafMs, skewMs: options.clockSkewMs ?? 20_000 };
}

function statusOf(trustDomain: string, authorities: Authorities, holders: Holders): CaStatus {
  const { state, signingRoot } = authorities;
  const live = holders.live();
  const bare = ({
    id,
    notBeforeMs,
    notAfterMs,
  }: StoredAuthority): Omit<StoredAuthority, 'certificatePem'> => ({ id, notBeforeMs, notAfterMs });
  let rootRotation: RootRotationStatus | undefined;
  if (state.rootRotation !== undefined) {
    const { phase, fromRootId, toRootId, startedMs, removeAtMs, generation, switchedEpoch } =
      state.rootRotation;
    const confirmed = live.filter((one) => one.bundleGeneration >= generation);
    const renewed = phase === 'distributing' ? [] : confirmed.filter((one) => one.leafEpoch >= switchedEpoch);
    const done = new Set(phase === 'distributing' ? confirmed : renewed);
    const waiting = live.filter((one) => !done.has(one));
    rootRotation = {
      phase,
      fromRootId,
      toRootId,
      startedMs,
      removeAtMs: phase === 'overlapping' ? removeAtMs : undefined,
      holders: live.length,
      confirmed: confirmed.length,
      renewed: renewed.length,
      waitingFor: waiting.toSorted((a, b) => a.notAfterMs - b.notAfterMs).slice(0, maxWaitingNamed),
    };
  }
  return {
    trustDomain,
    generation: state.generation,
    leafEpoch: state.leafEpoch,
    roots: state.roots.map(bare),
    signingRootId: signingRoot.id,
    issuers: state.issuers.map(bare),
    holders: live.length,
    connected: live.filter((one) => one.connected).length,
    rootRotation,
  };
}

/** The id that a request asks for, as far as it can be read. */
function namedIn(csrDer: Uint8Array): string | undefined {
  try {
    return readCsr(Buffer.from(csrDer.buffer, csrDer.byteOffset, csrDer.byteLength)).uriSans[0]?.slice(
      0,
      200,
    );
  } catch {
    return undefined;
  }
}
