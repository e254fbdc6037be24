import type { ExpiryShare } from './expiry-alarm.ts';
import type { CaRefusal } from './errors.ts';

/** How a certificate was asked for: with a join token, with the certificate before it, or by the CA's own process. */
export type IssueKind = 'attest' | 'renew' | 'local';

/** Somebody asked and got nothing. */
export interface CaRefusedEvent {
  readonly kind: 'refused';
  readonly how: IssueKind | 'watch';
  readonly reason: CaRefusal;
  /** For whoever runs the CA; the caller learns less. */
  readonly detail: string;
  /** The SPIFFE ID that the request named, cut at 200 characters. Anybody can name any. */
  readonly askedId?: string;
  /** `address:port` of the caller. */
  readonly peer?: string;
}

/** What a CA did, for logs and metrics. */
export type CaEvent =
  | {
      readonly kind: 'issued';
      readonly how: IssueKind;
      readonly spiffeId: string;
      readonly serial: string;
      readonly notAfterMs: number;
      readonly peer?: string;
    }
  | CaRefusedEvent
  | { readonly kind: 'token-created' | 'token-revoked'; readonly id: string; readonly spiffeId?: string }
  | { readonly kind: 'issuer-rotated'; readonly issuerId: string; readonly notAfterMs: number }
  | { readonly kind: 'leaves-rotated'; readonly leafEpoch: number }
  | { readonly kind: 'rotation-failed'; readonly detail: string }
  /**
   * A root is being replaced. `distributing`: the new one is being made known. `overlapping`: everybody believes it, it
   * signs. `finished`: the old one is believed no more. `abandoned`: the new one is gone again.
   */
  | {
      readonly kind: 'root-rotation';
      readonly phase: 'distributing' | 'overlapping' | 'finished' | 'abandoned';
      /** The new root. */
      readonly rootId: string;
    }
  /** The CA itself could not do what was asked: its store does not take writes, a key is gone. */
  | { readonly kind: 'failed'; readonly how: IssueKind | 'save'; readonly detail: string }
  /** The root or the issuer in use has used up that share of its life; told once a share, and again after a restart. */
  | {
      readonly kind: 'expiring';
      readonly authority: 'root' | 'issuer';
      readonly id: string;
      readonly share: ExpiryShare;
      readonly notAfterMs: number;
    };
