import { randomUUID } from 'node:crypto';
import { createTransport } from 'nodemailer';
import type { SendMail } from '../../auth/mail.ts';
import type { NotificationSettings } from '../../config.ts';
import { cleanRemoteText } from '../../facts/remote-text.ts';
import type { Attempt, Channel, Delivery, SendResult } from '../channel.ts';
import { isMailAddress, type Mailbox } from '../../facts/mail-address.ts';

/** A whole mail has this many times the patience of one wait, in case the server answers slowly each time. */
const WAITS_PER_MAIL = 4;

/** Mail through any SMTP server: `SMTP_URL` says which one, whether over TLS from the start, and how to log in. */
export const email: Channel = {
  lacks: ({ notifications }) => (notifications.smtpUrl === null ? 'no SMTP_URL is set' : null),
  addressHint: 'an e-mail address',
  isAddress: isMailAddress,
  reach: ({ settings }, { user, target }) => {
    const { smtpUrl, mailFrom } = settings.notifications;
    const address = target?.address ?? user.email;
    if (!isMailAddress(address)) return { problem: 'the address of this user is not an e-mail address' };
    if (smtpUrl === null) return { problem: 'no SMTP_URL is set' };
    return { send: (delivery, attempt) => sendMail(smtpUrl, compose(delivery, mailFrom, address), attempt) };
  },
};

const ACCOUNT_MAIL_TIMEOUT_MS = 10_000;

/**
 * How mails about accounts leave this program: at once, as somebody waits for them. Null as long as no SMTP_URL is set.
 * What it gives rejects with a reason that may be logged.
 */
export const accountMailer = ({ smtpUrl, mailFrom }: NotificationSettings): SendMail | null =>
  smtpUrl === null
    ? null
    : async ({ to, ...rendered }) => {
        if (!isMailAddress(to)) throw new Error('the address of this user is not an e-mail address');
        const mail = compose({ id: `account-${randomUUID()}`, thread: null, rendered }, mailFrom, to);
        const patience = { signal: new AbortController().signal, timeoutMs: ACCOUNT_MAIL_TIMEOUT_MS };
        const result = await sendMail(smtpUrl, mail, patience);
        if (result.outcome !== 'sent') throw new Error(result.reason);
      };

type Mail = ReturnType<typeof compose>;

function compose({ id, thread, rendered }: Pick<Delivery, 'id' | 'thread' | 'rendered'>, from: Mailbox, to: string) {
  const domain = from.address.slice(from.address.lastIndexOf('@') + 1);
  // No mail has this id: it only holds those of one incident together, whichever of them is read first.
  const root = thread === null ? undefined : `<${thread.replaceAll(/[^\w.-]/g, '-')}@${domain}>`;
  return {
    // As objects: a string would be parsed, and could become more than one address.
    from: { name: from.name, address: from.address },
    to: { name: '', address: to },
    subject: rendered.subject,
    text: rendered.text,
    html: rendered.html,
    messageId: `<${id}@${domain}>`,
    ...(root === undefined ? {} : { inReplyTo: root, references: root }),
    // RFC 3834: keeps absence notes from coming back.
    headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
  };
}

async function sendMail(url: string, mail: Mail, { signal, timeoutMs }: Attempt): Promise<SendResult> {
  const deadline = AbortSignal.timeout(timeoutMs * WAITS_PER_MAIL);
  const transport = createTransport({
    url,
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    // Longer, so that it never hides which of the two waits before it was in vain.
    socketTimeout: 2 * timeoutMs,
    dnsTimeout: timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    await transport.sendMail({ ...mail, signal: AbortSignal.any([signal, deadline]) });
    return { outcome: 'sent' };
  } catch (error) {
    if (deadline.aborted) return { outcome: 'retry', reason: 'the mail server was too slow', mayHaveArrived: true };
    return judgeFailure(error as SmtpFailure);
  } finally {
    transport.close();
  }
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

/** Ends before the mail itself can have gone out. */
const BEFORE_THE_MAIL = new Set([
  'CONNECT_TIMEOUT',
  'GREETING_TIMEOUT',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EDNS',
  'ETLS',
  'EAUTH',
  'ENOAUTH',
]);

/**
 * A permanent no (5xx, RFC 5321 section 4.2.1) to the recipient or to the mail itself is final. A no to us (greeting,
 * login, sender) is not: somebody can mend that, and the mail still has its reader.
 */
function judgeFailure(failure: SmtpFailure): SendResult {
  const { code = '', originalCode = '', timeoutType = '', responseCode, response = '', command = '' } = failure;
  if (code === 'EAUTH' || code === 'ENOAUTH')
    // Its own words are left out: a server may repeat what it was given.
    return { outcome: 'retry', reason: `the mail server refused the login (${responseCode ?? 'no code'})` };
  if (typeof responseCode === 'number') {
    const reason = `the mail server said to ${command || 'the connection'}: ${cleanRemoteText(response, 200)}`;
    const final = responseCode >= 500 && (command === 'RCPT TO' || command === 'DATA');
    return final ? { outcome: 'rejected', reason } : { outcome: 'retry', reason };
  }
  const sure = [code, originalCode, timeoutType].some((word) => BEFORE_THE_MAIL.has(word));
  const reason = `the mail server: ${timeoutType || originalCode || code || 'unknown failure'} (${cleanRemoteText(failure.message, 100)})`;
  return { outcome: 'retry', reason, ...(sure ? {} : { mayHaveArrived: true }) };
}
