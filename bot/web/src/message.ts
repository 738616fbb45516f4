import { html, nothing, type TemplateResult } from 'lit';
import { body } from './body';
import { icons } from './icons';
import { fill, labels } from './labels';
import { paragraphs, withoutSources } from './text';
import type { Button, Custom, EmergencyNumber, Message, Vote, Welcome } from './types';

export type Side = 'front' | 'back' | 'list';

/** What the drawing of one message needs besides the message. */
export interface View {
  last: boolean;
  online: boolean;
  number: EmergencyNumber | null;
  welcome: Welcome | null;
  side: Side;
  turnTo(side: Side): void;
  say(text: string): void;
  vote(message: Message, vote: Vote): void;
  copy(text: string): void;
  print(text: string): void;
}

const LEVELS: Record<string, string> = {
  emergency: labels.emergency,
  crisis: labels.crisis,
  urgent: labels.urgent,
};

/** Kinds of reply that can help or not; a question back or a warning is not to be voted on. */
const RATED = ['answer', 'decline', 'source', 'fallback'];

export function entry(message: Message, view: View): TemplateResult {
  return message.who === 'me' ? mine(message, view) : theirs(message, view);
}

function mine(message: Message, view: View): TemplateResult {
  const waiting = message.state === 'unsent' && !view.online ? labels.waiting : '';
  const state = message.state === 'refused' ? `${labels.refused}. ${message.note ?? ''}` : waiting;
  return html`<div class="entry me">
    <div class="bubble" dir="auto"><span class="hidden">${labels.you} </span>${message.text}</div>
    ${state ? html`<p class="state" dir="auto">${state}</p>` : nothing}
  </div>`;
}

function theirs(message: Message, view: View): TemplateResult {
  const kind = message.custom?.kind ?? '';
  const card = LEVELS[kind] ? safetyCard : kind === 'summary' ? note : bubble;
  return html`<div class="entry bot">
    ${card(message, view)} ${extras(message, view)} ${view.last ? answers(message, view) : nothing}
  </div>`;
}

function words(message: Message, view: View): TemplateResult {
  const { sources, differences } = message.custom ?? {};
  const text = sources?.length ? withoutSources(message.text, view.welcome?.sources ?? '') : message.text;
  return html`<div class="text">${paragraphs(text, differences)}</div>`;
}

function bubble(message: Message, view: View): TemplateResult {
  return html`<div class="bubble" dir="auto">
    <span class="hidden">${labels.assistant} </span>${words(message, view)} ${calls(message, view)}
  </div>`;
}

/**
 * A warning: announced at once, and complete in itself. Only the newest one is announced.
 *
 * What to do comes first and the button to do it second, so that both are in sight on a small phone.
 */
function safetyCard(message: Message, view: View): TemplateResult {
  const kind = message.custom!.kind!;
  const [first = '', ...rest] = message.text.split('\n');
  return html`<div class="card ${kind}" role=${view.last ? 'alert' : nothing} dir="auto">
    <p class="level">${icons.alert} ${LEVELS[kind]}</p>
    <p class="first">${first}</p>
    ${calls(message, view)}
    <div class="text">${paragraphs(rest.join('\n'))}</div>
  </div>`;
}

/** Buttons that call: those of the reply, else for a warning the person's emergency number. */
function calls(message: Message, view: View): TemplateResult | typeof nothing {
  const { kind = '', links = [] } = message.custom ?? {};
  const given = links.filter(link => /^(tel|sms):\+?[\d-]+$/.test(link?.url));
  const own = view.number && LEVELS[kind] && kind !== 'urgent' ? [callLink(view.number.tel)] : [];
  const shown = given.length ? given : own;
  if (!shown.length) return nothing;
  return html`<div class="row">
    ${shown.map(link => html`<a class="button call" href=${link.url}>${icons.phone} ${link.title}</a>`)}
  </div>`;
}

const callLink = (tel: string) => ({ title: fill(labels.call, { number: tel }), url: `tel:${tel}` });

function note(message: Message, view: View): TemplateResult {
  return html`<div class="card summary" dir="auto">
    <p class="lead">${labels.note}</p>
    ${words(message, view)}
    <div class="row">
      <button @click=${() => view.copy(message.text)}>${labels.copy}</button>
      <button @click=${() => view.print(message.text)}>${labels.print}</button>
    </div>
  </div>`;
}

function extras(message: Message, view: View): TemplateResult | typeof nothing {
  const { custom } = message;
  if (!custom?.kind) return nothing;
  return html`<div class="extras">${sources(custom)} ${why(custom)} ${thumbs(message, view)}</div>
    ${reasons(message, view)}`;
}

function sources({ sources }: Custom): TemplateResult | typeof nothing {
  if (!sources?.length) return nothing;
  return html`<details>
    <summary dir="auto">${labels.sources} (${sources.length})</summary>
    <ol>${sources.map(s => html`<li value=${s.ref}>${s.title}<span class="section">${s.section}</span></li>`)}</ol>
  </details>`;
}

function why({ why, rule, safety_question }: Custom): TemplateResult | typeof nothing {
  const name = why?.rule ?? rule ?? safety_question;
  if (!name) return nothing;
  const source = [why?.source, why?.date].filter(Boolean).join(', ');
  return html`<details>
    <summary dir="auto">${labels.why}</summary>
    <div class="text">
      <p>${fill(labels.whyRule, { rule: name })}</p>
      ${source ? html`<p>${fill(labels.whySource, { source })}</p>` : nothing}
      <p>${why?.reviewed ? labels.whyReviewed : labels.whyNotReviewed}</p>
    </div>
  </details>`;
}

function thumbs(message: Message, view: View): TemplateResult | typeof nothing {
  if (!message.turn || !RATED.includes(message.custom?.kind ?? '')) return nothing;
  const thumb = (value: Vote['value'], label: string): TemplateResult => html`<button
    class="bare" aria-label=${label} aria-pressed=${message.vote?.value === value}
    @click=${() => view.vote(message, { value, reason: '' })}>${icons[value]}</button>`;
  return html`<div class="thumbs">${thumb('up', labels.helpful)}${thumb('down', labels.notHelpful)}</div>`;
}

function reasons(message: Message, view: View): TemplateResult | typeof nothing {
  const { vote } = message;
  if (!vote) return nothing;
  if (vote.value === 'up' || vote.reason) return html`<p class="state" dir="auto">${labels.thanks}</p>`;
  return html`<p class="state" dir="auto" id="why-${message.id}">${labels.whyNot}</p>
    <div class="row reasons" role="group" aria-labelledby="why-${message.id}">
      ${Object.entries(labels.reasons).map(
        ([reason, label]) => html`<button dir="auto" @click=${() => view.vote(message, { value: 'down', reason })}>${label}</button>`,
      )}
    </div>`;
}

/** The quick replies of the newest message, in the form that fits what it asks. */
function answers(message: Message, view: View): TemplateResult | typeof nothing {
  const { buttons = [], custom = {} } = message;
  if (custom.picker && view.welcome) return picker(buttons, view);
  const country = { title: labels.changeCountry, payload: labels.changeCountryText };
  const missing = LEVELS[custom.kind ?? ''] && !buttons.some(button => button.title === country.title);
  const offered = missing ? [...buttons, country] : buttons;
  if (!offered.length) return nothing;
  const asks = custom.safety_question || custom.kind === 'safety_check';
  const label = (asks && question(message.text)) || (asks ? labels.safetyQuestion : labels.suggestions);
  return html`<div class="row suggestions ${asks ? 'yesno' : ''}" role="group" aria-label=${label}>
    ${offered.map(button => choice(button, view))}
  </div>`;
}

const choice = (button: Button, view: View): TemplateResult =>
  html`<button dir="auto" @click=${() => view.say(button.payload)}>${button.title}</button>`;

const question = (text: string): string => text.match(/[^.!?\n]+\?/g)?.at(-1)?.trim() ?? '';

/** The body to point at, and the same as a list. */
function picker(buttons: Button[], view: View): TemplateResult {
  const parts = view.welcome!.body_parts;
  const name = (id: string): string => parts.find(part => part.id === id)?.name ?? id;
  const offered = (title: string): Button | undefined => buttons.find(b => b.title.toLowerCase() === title.toLowerCase());
  const pick = (id: string): void => view.say(offered(name(id))?.payload ?? name(id));
  const others = parts.filter(part => !offered(part.name)).map(({ name }) => ({ title: capital(name), payload: name }));
  const sides: Side[] = ['front', 'back', 'list'];
  return html`<div class="picker" role="group" aria-label=${labels.where}>
    <div class="row">
      ${sides.map(
        side => html`<button aria-pressed=${view.side === side} @click=${() => view.turnTo(side)}>${labels[side]}</button>`,
      )}
    </div>
    ${view.side === 'list'
      ? html`<div class="row suggestions">${[...buttons, ...others].map(button => choice(button, view))}</div>`
      : body(view.side, name, pick)}
  </div>`;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
