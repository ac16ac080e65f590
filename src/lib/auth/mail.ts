import type { Mail } from '../mail/smtp.ts';

const escapeHtml = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const PASSWORD_MAILS = {
  reset: {
    subject: 'Set a new password',
    opening: 'Someone, hopefully you, asked for a new password for your Wardround account.',
    closing: 'If that was not you, ignore this mail: nothing changes.',
  },
  link: {
    subject: 'Set a new password',
    opening: 'An administrator sends you a link with which you can set a new password for your Wardround account.',
    closing: 'As long as you do not follow it, nothing changes.',
  },
  invitation: {
    subject: 'Your Wardround account',
    opening: 'You have an account on Wardround, which watches over your VPS. Set a password to see how it is.',
    closing: 'If you expected nothing of that kind, ignore this mail.',
  },
};

/** The mail around a link for setting a password: asked for by the user, sent by an admin, or for the first one. */
export const passwordMail = (kind: keyof typeof PASSWORD_MAILS, to: string, link: string, validFor: string): Mail =>
  linkMail(to, PASSWORD_MAILS[kind], link, validFor);

/** The question to a mail address that somebody wants messages to go to. It says nothing that this somebody could choose. */
export const addressMail = (to: string, link: string): Mail =>
  linkMail(
    to,
    {
      subject: 'Shall messages about a server go to this address?',
      opening:
        'Somebody with an account on Wardround, which watches over servers, wants to be told at this address when something is wrong.',
      closing: 'If you expected nothing of that kind, ignore this mail: nothing more is sent to you.',
    },
    link,
    '24 hours',
  );

function linkMail(
  to: string,
  { subject, opening, closing }: { readonly subject: string; readonly opening: string; readonly closing: string },
  link: string,
  validFor: string,
): Mail {
  const how = `The link works once, within ${validFor}:`;
  return {
    to,
    subject,
    text: `${opening}\n\n${how}\n${link}\n\n${closing}\n`,
    html: `<p>${escapeHtml(opening)}</p><p>${how}<br><a href="${escapeHtml(link)}">${escapeHtml(link)}</a></p><p>${escapeHtml(closing)}</p>`,
  };
}
