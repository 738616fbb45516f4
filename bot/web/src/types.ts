/** What travels between server and widget (the project's contract), and what the widget remembers of it. */
export interface Button {
  title: string;
  payload: string;
}

export interface Source {
  ref: number;
  title: string;
  section: string;
}

export interface Why {
  rule?: string;
  source?: string;
  date?: string;
  reviewed?: boolean;
}

export interface Custom {
  kind?: string;
  intents?: string[];
  sources?: Source[];
  rule?: string | null;
  safety_question?: string | null;
  why?: Why | null;
  links?: { title: string; url: string }[];
  picker?: boolean;
  differences?: string[];
  erase?: boolean;
}

export interface EmergencyNumber {
  country: string | null;
  text: string;
  tel: string;
  disclaimer: string;
}

export interface Uttered {
  text: string;
  quick_replies?: Button[];
  metadata?: { turn?: string; said?: string; seq?: number; epoch?: string; custom?: Custom; number?: EmergencyNumber };
}

export interface Welcome {
  text: string;
  quick_replies: Button[];
  number: EmergencyNumber;
  sources: string;
  body_parts: { id: string; name: string }[];
  max_chars: number;
}

export interface Vote {
  value: 'up' | 'down';
  reason: string;
}

/** unsent: to be sent; sent: taken by the server; answered: has its reply; refused: not taken. */
export type State = 'unsent' | 'sent' | 'answered' | 'refused';

export interface Message {
  id: string;
  who: 'me' | 'bot';
  text: string;
  /** Of the person's messages. */
  state?: State;
  /** Whether it was sent before, perhaps in vain. */
  tried?: boolean;
  /** Whether it has waited for longer than a reply takes. */
  late?: boolean;
  /** Why it was refused. */
  note?: string;
  /** Of the bot's messages. */
  turn?: string;
  buttons?: Button[];
  custom?: Custom;
  vote?: Vote;
}
