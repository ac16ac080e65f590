import type { ChannelName } from '../../facts/message.ts';
import type { Channel } from '../channel.ts';
import { email } from './email.ts';
import { telegram } from './telegram.ts';
import { webhook } from './webhook.ts';

/** Every channel, a line each. A new one needs its file, its test, its name in `facts/message.ts` and its line here. */
export const CHANNELS = { email, telegram, webhook } satisfies Record<ChannelName, Channel>;

/** Undefined for the name of a channel that has been removed while messages for it were waiting. */
export const findChannel = (name: string): Channel | undefined => (CHANNELS as Record<string, Channel>)[name];
