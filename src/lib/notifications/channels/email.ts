import { isMailAddress } from '../../facts/mail-address.ts';
import { sendMail } from '../../mail/smtp.ts';
import type { Channel } from '../channel.ts';

/** Mail through any SMTP server: `SMTP_URL` says which one, whether over TLS from the start, and how to log in. */
export const email: Channel = {
  isShared: true,
  lacks: ({ notifications }) => (notifications.smtpUrl === null ? 'no SMTP_URL is set' : null),
  addressHint: 'an e-mail address',
  isAddress: isMailAddress,
  reach: ({ settings }, { user, target, vouched }) => {
    const { smtpUrl, mailFrom } = settings.notifications;
    // Another address counts while an admin answers for it, or once whoever reads it has agreed.
    const isAgreed = vouched || (target?.addressConfirmedAt ?? null) !== null;
    const address = (isAgreed ? target?.address : null) ?? user.email;
    if (!isMailAddress(address)) return { problem: 'the address of this user is not an e-mail address' };
    if (smtpUrl === null) return { problem: 'no SMTP_URL is set' };
    return {
      send: ({ id, thread, rendered }, attempt) =>
        sendMail(smtpUrl, { id, thread, ...rendered }, { from: mailFrom, to: address }, attempt),
    };
  },
};
