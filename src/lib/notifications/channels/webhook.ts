import { createHmac } from 'node:crypto';
import type { lookup as lookUp } from 'node:dns';
import { DecryptionError, decryptToken } from '../../crypto/encryption.ts';
import type { Channel, Delivery } from '../channel.ts';
import type { SendResult } from '../../facts/delivery.ts';
import { isPublicWebAddress, isWebAddress, sendHttp, type HttpResult } from '../http-request.ts';
import type { MessageFacts } from '../../facts/message.ts';

/** Where the secret of a target lives: what its ciphertext is bound to. */
export const targetSecretPlace = (userId: string, channel: string): string =>
  `notification_targets.secret:${userId}:${channel}`;

/** `v1=` and the hexadecimal HMAC-SHA256 (RFC 2104) of `<timestamp>.<body>`; the timestamp is Unix time in seconds. */
export const signature = (secret: string, timestamp: number, body: string): string =>
  `v1=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`;

/**
 * Signed JSON to an address of the recipient's choice; docs/notifications.md has the format. Where no admin answers for the
 * address, nothing within a network is called. `resolve`: how names are looked up.
 */
export const createWebhook = (resolve?: typeof lookUp): Channel => ({
  isShared: false,
  lacks: () => null,
  addressHint: 'an address such as https://example.com/hook, without a password in it',
  isAddress: isWebAddress,
  reach: ({ settings, encryptionKey }, { user, target, vouched }) => {
    const url = target?.address ?? '';
    if (url === '' || !target) return { problem: 'no webhook address is set for this user' };
    if (!isWebAddress(url)) return { problem: 'the webhook address is not a web address' };
    if (!vouched && !isPublicWebAddress(url))
      return { problem: 'the webhook address is for admins only, and no admin answers for it any more' };
    if (target.secret === null) return { problem: 'the webhook has no secret to sign with' };
    const secret = openSecret(target.secret, targetSecretPlace(user.id, target.channel), encryptionKey);
    if (secret === null) return { problem: 'the stored secret of the webhook does not open with the key in use' };
    const reach = vouched ? settings.allowedAddresses : 'public';
    return {
      send: async (delivery, attempt) => {
        const body = JSON.stringify(payload(delivery));
        const timestamp = Math.floor(Date.now() / 1000);
        const headers = {
          'content-type': 'application/json',
          'wardround-timestamp': String(timestamp),
          'wardround-signature': signature(secret, timestamp, body),
          'wardround-delivery': delivery.id,
        };
        return httpOutcome(
          await sendHttp({ method: 'POST', url, headers, body, reach, ...(resolve && { resolve }) }, attempt),
          'the webhook',
        );
      },
    };
  },
});

export const webhook = createWebhook();

function openSecret(ciphertext: string, place: string, key: Buffer): string | null {
  try {
    return decryptToken(ciphertext, place, key);
  } catch (error) {
    if (error instanceof DecryptionError) return null;
    throw error;
  }
}

function payload({ id, kind, audience, facts, beginning, rendered }: Delivery): object {
  // What a host has said of itself is for admins.
  const shown = (all: MessageFacts): MessageFacts =>
    all.about === 'vps' && audience === 'customer' ? { ...all, error: null } : all;
  return {
    id,
    kind,
    subject: rendered.subject,
    text: rendered.text,
    facts: facts && shown(facts),
    beginning: beginning && { kind: beginning.kind, facts: shown(beginning.facts) },
  };
}

const PASSING = new Set([408, 425, 429]);
/** Gone, and said to be gone for good: RFC 9110, section 15.5.11. */
const GONE = 410;

/** 2xx is taken; 408, 425, 429, 5xx and no answer are tried again; anything else, redirects included, is a no. */
export function httpOutcome(result: HttpResult, who: string): SendResult {
  if (result.kind === 'no_answer')
    return { outcome: 'retry', reason: `${who}: ${result.reason}`, ...(result.sure ? {} : { mayHaveArrived: true }) };
  const { status, retryAfterMs } = result;
  if (status >= 200 && status < 300) return { outcome: 'sent' };
  const reason = `${who} answered with status ${status}`;
  return PASSING.has(status) || status >= 500
    ? { outcome: 'retry', reason, ...(retryAfterMs === null ? {} : { retryAfterMs }) }
    : { outcome: 'rejected', reason, ...(status === GONE && { isGone: true }) };
}
