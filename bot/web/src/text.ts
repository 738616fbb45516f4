import { html, nothing, type TemplateResult } from 'lit';
import { labels } from './labels';

/**
 * Plain text as paragraphs, lists and leads. Everything goes in as text nodes: markup in a message stays text.
 *
 * @param differs Sentences that say where sources differ; the lines that hold them are marked.
 */
export function paragraphs(text: string, differs: string[] = []): TemplateResult[] {
  return text.split(/\n{2,}/).flatMap(block => lines(block.split('\n').filter(line => line.trim()), differs));
}

function lines(rows: string[], differs: string[]): TemplateResult[] {
  const made: TemplateResult[] = [];
  for (let at = 0; at < rows.length; ) {
    const items = bullets(rows, at);
    if (items.length) {
      made.push(html`<ul>${items.map(item => html`<li>${marked(item, differs)}</li>`)}</ul>`);
      at += items.length;
    } else {
      made.push(paragraph(rows[at++]!, differs));
    }
  }
  return made;
}

function bullets(rows: string[], from: number): string[] {
  const end = rows.findIndex((row, index) => index >= from && !BULLET.test(row));
  return rows.slice(from, end < 0 ? rows.length : end).map(row => row.replace(BULLET, ''));
}

const BULLET = /^\s*[•*-]\s+/;

function paragraph(row: string, differs: string[]): TemplateResult {
  return html`<p class=${/:\s*$/.test(row) ? 'lead' : nothing}>${marked(row, differs)}</p>`;
}

function marked(row: string, differs: string[]): unknown {
  if (!differs.some(sentence => row.includes(sentence) || sentence.includes(row))) return row;
  return html`<span class="differs"><strong>${labels.differs}</strong> ${row}</span>`;
}

/** A sentence with each number of three digits as a link to call it. */
export function callable(text: string): unknown[] {
  return text
    .split(/\b(\d{3})\b/)
    .map((part, index) => (index % 2 ? html`<a class="tel" href="tel:${part}">${part}</a>` : part));
}

/** The text without its last paragraph of sources, which the widget shows unfolded on demand. */
export function withoutSources(text: string, heading: string): string {
  const at = text.lastIndexOf(`\n${heading}`);
  return heading && at > 0 ? text.slice(0, at).trimEnd() : text;
}

/** A page in Markdown (headings, paragraphs, bold), word for word. */
export function page(markdown: string): TemplateResult[] {
  return markdown.split(/\n{2,}/).map(block => {
    const words = block.replace(HEADING, '').split('**');
    const text = words.map((part, index) => (index % 2 ? html`<strong>${part}</strong>` : part));
    return html`<p class=${HEADING.test(block) ? 'lead' : nothing}>${text}</p>`;
  });
}

const HEADING = /^#+\s+/;
