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
  const how = `The link works once, within ${validFor}:`;
  return {
    to,
    subject,
    text: `${opening}\n\n${how}\n${link}\n\n${closing}\n`,
    html: `<p>${escapeHtml(opening)}</p><p>${how}<br><a href="${escapeHtml(link)}">${escapeHtml(link)}</a></p><p>${escapeHtml(closing)}</p>`,
  };
}
