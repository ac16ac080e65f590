import type { Mail } from '../mail/smtp.ts';

const escapeHtml = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** The mail around a link for setting a password: asked for by the user, or an invitation to the first one. */
export function passwordMail(kind: 'reset' | 'invitation', to: string, link: string, validFor: string): Mail {
  const [subject, opening, closing] =
    kind === 'reset'
      ? [
          'Set a new password',
          'Someone, hopefully you, asked for a new password for your Wardround account.',
          'If that was not you, ignore this mail: nothing changes.',
        ]
      : [
          'Your Wardround account',
          'You have an account on Wardround, which watches over your VPS. Set a password to see how it is.',
          'If you expected nothing of that kind, ignore this mail.',
        ];
  return linkMail(to, { subject, opening, closing }, link, validFor);
}

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
