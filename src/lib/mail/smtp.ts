import { randomUUID } from 'node:crypto';
import type { NotificationSettings } from '../config.ts';
import type { Attempt, SendResult } from '../facts/delivery.ts';
import { isMailAddress, type Mailbox } from '../facts/mail-address.ts';
import { cleanRemoteText } from '../facts/remote-text.ts';

export type Mail = { readonly to: string; readonly subject: string; readonly text: string; readonly html: string };

/** Resolves when the mail has been handed over; rejects with a reason that may be logged. */
export type SendMail = (mail: Mail) => Promise<void>;

/** A whole mail has this many times the patience of one wait, in case the server answers slowly each time. */
const WAITS_PER_MAIL = 4;

/** What goes into one mail. `thread` holds the mails of one incident together; `id` stays the same when it is sent again. */
export type Letter = {
  readonly id: string;
  readonly thread: string | null;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
};

type Envelope = { readonly from: Mailbox; readonly to: string };

function compose({ id, thread, subject, text, html }: Letter, { from, to }: Envelope) {
  const domain = from.address.slice(from.address.lastIndexOf('@') + 1);
  // No mail has this id: it only holds those of one incident together, whichever of them is read first.
  const root = thread === null ? undefined : `<${thread.replaceAll(/[^\w.-]/g, '-')}@${domain}>`;
  return {
    // As objects: a string would be parsed, and could become more than one address.
    from: { name: from.name, address: from.address },
    to: { name: '', address: to },
    subject,
    text,
    html,
    messageId: `<${id}@${domain}>`,
    ...(root === undefined ? {} : { inReplyTo: root, references: root }),
    // RFC 3834: keeps absence notes from coming back.
    headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
  };
}

/** Hands one mail to the server that `url` names (`SMTP_URL`): over TLS from the start or not, with a login or without. */
export async function sendMail(
  url: string,
  letter: Letter,
  envelope: Envelope,
  { signal, timeoutMs }: Attempt,
): Promise<SendResult> {
  const deadline = AbortSignal.timeout(timeoutMs * WAITS_PER_MAIL);
  const progress = watchProgress();
  // Loaded with the first mail: most commands send none.
  const { createTransport } = await import('nodemailer');
  const transport = createTransport({
    url,
    logger: progress.logger,
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    // Longer, so that it never hides which of the two waits before it was in vain.
    socketTimeout: 2 * timeoutMs,
    dnsTimeout: timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    await transport.sendMail({ ...compose(letter, envelope), signal: AbortSignal.any([signal, deadline]) });
    return { outcome: 'sent' };
  } catch (error) {
    const mayHaveArrived = progress.isGone() ? ({ mayHaveArrived: true } as const) : {};
    if (deadline.aborted) return { outcome: 'retry', reason: 'the mail server was too slow', ...mayHaveArrived };
    return judgeFailure(error as SmtpFailure, mayHaveArrived);
  } finally {
    transport.close();
  }
}

/**
 * Notices when the last byte of the mail has been written: before that no server can have taken it, whatever breaks.
 * Nodemailer tells that to its logger and to nobody else.
 */
function watchProgress() {
  let gone = false;
  const ignore = (): void => undefined;
  const info = (entry: { readonly tnx?: unknown }): void => {
    if (entry.tnx === 'message') gone = true;
  };
  const logger = { trace: ignore, debug: ignore, info, warn: ignore, error: ignore, fatal: ignore };
  return { logger, isGone: () => gone };
}

/** What nodemailer's errors carry. */
type SmtpFailure = Error & {
  readonly code?: string;
  readonly originalCode?: string;
  readonly timeoutType?: string;
  readonly responseCode?: number;
  readonly response?: string;
  readonly command?: string;
};

/**
 * What a server says besides its three digits, of the address or the mailbox of a recipient: RFC 3463, sections 3.2 and
 * 3.3. X.1.7 and X.1.8 are about the address of the sender, which is ours.
 */
const ADDRESS_STATUS = /^[245]\d\d[ -][245]\.1\.(?!7\b|8\b)\d{1,3}\b/;
const MAILBOX_STATUS = /^[245]\d\d[ -][245]\.2\.\d{1,3}\b/;

/**
 * Only the word that there is no such address is final. Any other no, be it permanent (5xx, RFC 5321 section 4.2.1), is
 * one to us: relaying, a policy, a quota, a login. Somebody can mend that, and the mail still has its reader.
 */
function judgeFailure(failure: SmtpFailure, mayHaveArrived: { readonly mayHaveArrived?: true }): SendResult {
  const { code = '', originalCode = '', timeoutType = '', responseCode, response = '', command = '' } = failure;
  if (code === 'EAUTH' || code === 'ENOAUTH')
    // Its own words are left out: a server may repeat what it was given.
    return { outcome: 'retry', reason: `the mail server refused the login (${responseCode ?? 'no code'})` };
  if (typeof responseCode === 'number') {
    const reason = `the mail server said to ${command || 'the connection'}: ${cleanRemoteText(response, 200)}`;
    const isAddress = (command === 'RCPT TO' || command === 'DATA') && ADDRESS_STATUS.test(response);
    if (isAddress && responseCode >= 500) return { outcome: 'rejected', reason };
    return { outcome: 'retry', reason, ...((isAddress || MAILBOX_STATUS.test(response)) && { ofRecipient: true }) };
  }
  const reason = `the mail server: ${timeoutType || originalCode || code || 'unknown failure'} (${cleanRemoteText(failure.message, 100)})`;
  return { outcome: 'retry', reason, ...mayHaveArrived };
}

const ACCOUNT_MAIL_TIMEOUT_MS = 10_000;

/**
 * How mails about accounts leave this program: at once, as somebody waits for them. Null as long as no SMTP_URL is set.
 * What it gives rejects with a reason that may be logged.
 */
export const accountMailer = ({ smtpUrl, mailFrom }: NotificationSettings): SendMail | null =>
  smtpUrl === null
    ? null
    : async ({ to, ...content }) => {
        if (!isMailAddress(to)) throw new Error('the address of this user is not an e-mail address');
        const letter = { id: `account-${randomUUID()}`, thread: null, ...content };
        const patience = { signal: new AbortController().signal, timeoutMs: ACCOUNT_MAIL_TIMEOUT_MS };
        const result = await sendMail(smtpUrl, letter, { from: mailFrom, to }, patience);
        if (result.outcome !== 'sent') throw new Error(result.reason);
      };
