import type { EmergencyNumber, Message, Welcome } from './types';

/** What outlives a reload, within the tab and no longer. */
export interface Remembered {
  session: string | null;
  epoch: string;
  seq: number;
  open: boolean;
  draft: string;
  messages: Message[];
  number: EmergencyNumber | null;
  welcome: Welcome | null;
  /** A deleted conversation that the server does not know of yet. */
  toErase: string | null;
}

const KEY = 'muscle-spasm-chat';
const NOTHING: Remembered = {
  session: null, epoch: '', seq: 0, open: false, draft: '', messages: [], number: null, welcome: null,
  toErase: null,
};

/** Reads what the tab remembers; where storage is blocked, nothing, and the chat works without. */
export function recall(): Remembered {
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? '{}');
    const known = { ...NOTHING, ...(stored as Partial<Remembered>) };
    return Array.isArray(known.messages) ? known : { ...NOTHING };
  } catch {
    return { ...NOTHING };
  }
}

export function remember(known: Remembered): void {
  for (const messages of [known.messages, known.messages.slice(-30)]) {
    try {
      sessionStorage.setItem(KEY, JSON.stringify({ ...known, messages }));
      return;
    } catch {
      // Full: the newest are kept. Blocked: the chat goes on in memory.
    }
  }
}
