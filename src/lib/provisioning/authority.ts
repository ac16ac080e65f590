import { execFile } from 'node:child_process';
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { cleanRemoteText } from '../facts/remote-text.ts';
import type { CertifiedKey } from './certified-key.ts';
import { makePrivateKey, parsePrivateKey, publicHalf } from './private-key.ts';
import {
  certificateBody,
  certificateInLine,
  MalformedCertificate,
  publicBlob,
  readCertificate,
  sealedCertificate,
  type CertificateRead,
} from './rules/certificate.ts';
import { SSHCommandError } from './ssh-failure.ts';

/** What is to be certified, and for what. */
export type CertificateOrder = {
  /** What the host has to allow for the login. */
  readonly principal: string;
  readonly forceCommand: string;
  readonly sourceAddress: string | null;
};

/** A login that brings another certificate each time: `issue` rejects with `SSHCommandError` and with nothing else. */
export type CertificateLogin = {
  readonly principal: string;
  readonly issue: (patience: Patience) => CertifiedKey | Promise<CertifiedKey>;
};

type Patience = { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined };

const VALID_SECONDS = 180;
/** So far the clock of a host may be behind ours. That costs nothing: what is over by then is of no use to a thief. */
const BEHIND_SECONDS = 300;
/** An outside signer may count from a clock of its own. */
const SIGNER_AHEAD_SECONDS = 60;
const LONGEST_OUTPUT = 64 * 1024;
const LONGEST_REMARK = 200;

/** A fresh key of an authority, as it is stored: PKCS #8 in PEM. */
export const makeAuthorityKey = (): string =>
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

/** Its public half as it stands in `TrustedUserCAKeys`: `ssh-ed25519 AAAA…`. */
export const authorityLine = (pem: string): string =>
  `ssh-ed25519 ${publicBlob(rawPublicKey(createPrivateKey(pem))).toString('base64')}`;

const rawPublicKey = (key: KeyObject): Buffer =>
  Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x ?? '', 'base64url');

/** Makes a key for one connection, and certifies it with the authority's key. */
export function certify(authorityPem: string, order: CertificateOrder, nowMs: number): CertifiedKey {
  const authority = createPrivateKey(authorityPem);
  const { key, raw } = freshKey();
  const nowSeconds = Math.floor(nowMs / 1000);
  const validBefore = nowSeconds + VALID_SECONDS;
  const body = certificateBody({
    nonce: randomBytes(32),
    key: raw,
    serial: randomBytes(8).readBigUInt64BE(),
    keyId: `wardround ${order.principal}`,
    principals: [order.principal],
    validAfter: nowSeconds - BEHIND_SECONDS,
    validBefore,
    forceCommand: order.forceCommand,
    sourceAddress: order.sourceAddress,
    authority: rawPublicKey(authority),
  });
  const certificate = sealedCertificate(body, sign(null, body, authority));
  return { key, certificate, validBefore: validBefore * 1000 };
}

function freshKey() {
  const key = parsePrivateKey(makePrivateKey());
  return { key, raw: key.getPublicSSH().subarray(-32) };
}

/**
 * The same by an outside program: it finds on its standard input, as JSON, `publicKey`, `principal`, `keyId`,
 * `validSeconds`, `forceCommand` and `sourceAddress` (or null), and prints a certificate as ssh-keygen does. It is started
 * without a shell, and of the environment it gets PATH and HOME alone. What it prints is taken if it says what was asked
 * for and no more. Rejects with `SSHCommandError`.
 */
export async function certifyOutside(
  [program = '', ...args]: readonly string[],
  order: CertificateOrder,
  patience: Patience,
): Promise<CertifiedKey> {
  const { key, raw } = freshKey();
  const given = {
    publicKey: `${publicHalf(key)} wardround`,
    keyId: `wardround ${order.principal}`,
    validSeconds: VALID_SECONDS,
    ...order,
  };
  const printed = await runSigner(program, args, { input: JSON.stringify(given), ...patience });
  try {
    const certificate = certificateInLine(printed);
    const read = readCertificate(certificate);
    const why = whyNotAsOrdered(read, { ...order, key: raw }, Date.now());
    if (why !== null) throw new MalformedCertificate(why);
    return { key, certificate, validBefore: read.validBefore * 1000 };
  } catch (error) {
    if (!(error instanceof MalformedCertificate)) throw error;
    throw authorityFailed(`what the signer ${program} printed cannot be used: ${error.message}`);
  }
}

/** Why a certificate is not the one that was asked for; null where it is. */
function whyNotAsOrdered(
  { principals, ...read }: CertificateRead,
  { principal, forceCommand, sourceAddress, key }: CertificateOrder & { readonly key: Buffer },
  nowMs: number,
): string | null {
  const now = nowMs / 1000;
  if (!read.key.equals(key)) return 'it is for another key';
  if (principals.length !== 1 || principals[0] !== principal) return `it is not for the principal ${principal} alone`;
  if (read.forceCommand !== forceCommand) return 'it does not force the command that was given (force-command)';
  if (read.sourceAddress !== sourceAddress) return 'its source-address is not the one that was given';
  if (read.otherOptions.length > 0)
    return `it has other critical options: ${cleanRemoteText(read.otherOptions.join(', '), LONGEST_REMARK)}`;
  if (read.extensions.length > 0)
    return `it has extensions, and none were asked for: ${cleanRemoteText(read.extensions.join(', '), LONGEST_REMARK)}`;
  if (read.validBefore <= now) return 'it is over already';
  if (read.validBefore > now + VALID_SECONDS + SIGNER_AHEAD_SECONDS)
    return `it is valid for longer than ${VALID_SECONDS} s`;
  return null;
}

function runSigner(
  program: string,
  args: readonly string[],
  { input, timeoutMs, signal }: Patience & { readonly input: string },
): Promise<string> {
  const { PATH = '', HOME = '' } = process.env;
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      args,
      {
        // The rest of the environment holds secrets.
        env: { PATH, HOME },
        timeout: Math.max(1, Math.floor(timeoutMs)),
        killSignal: 'SIGKILL',
        maxBuffer: LONGEST_OUTPUT,
        signal,
      },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else if (signal?.aborted)
          reject(new SSHCommandError('aborted', 'connect', 'the check was given up because the monitor is stopping'));
        else reject(authorityFailed(`the signer ${program} ${whyEnded(error, timeoutMs)}${saying(stderr)}`));
      },
    );
    child.stdin?.on('error', () => undefined).end(input);
  });
}

function whyEnded(
  { code, killed, signal }: Error & { code?: unknown; killed?: boolean; signal?: string },
  timeoutMs: number,
): string {
  if (code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') return `prints more than ${LONGEST_OUTPUT / 1024} KiB`;
  if (typeof code === 'string') return `cannot be started (${code})`;
  if (killed === true) return `has printed nothing within ${Math.round(timeoutMs / 100) / 10} s`;
  return typeof code === 'number' ? `ended with exit code ${code}` : `was ended by ${signal ?? 'a signal'}`;
}

const saying = (stderr: string): string => {
  const said = cleanRemoteText(stderr.slice(0, LONGEST_OUTPUT), LONGEST_REMARK);
  return said === '' ? '' : `: ${said}`;
};

export const authorityFailed = (message: string): SSHCommandError =>
  new SSHCommandError('no_certificate', 'connect', message);
