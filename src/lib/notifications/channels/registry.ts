import type { Channel } from '../channel.ts';
import { email } from './email.ts';
import { telegram } from './telegram.ts';
import { webhook } from './webhook.ts';

/** Every channel, a line each. A new one needs nothing else than its file, its test and its line here. */
export const CHANNELS = { email, telegram, webhook } satisfies Record<string, Channel>;

export type ChannelName = keyof typeof CHANNELS;

export const CHANNEL_NAMES = Object.keys(CHANNELS) as readonly ChannelName[];

/** Undefined for the name of a channel that has been removed while messages for it were waiting. */
export const findChannel = (name: string): Channel | undefined => (CHANNELS as Record<string, Channel>)[name];
