// Runs ../Code.gs under Node, with what it uses of Google's services played here.
// Reads {now, secret, cells, statuses, steps} from standard input and writes what
// came of it: posts, cells, errors, triggers.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const vm = require('vm');

const input = JSON.parse(fs.readFileSync(0, 'utf8'));
const out = { posts: [], errors: [], warnings: [], triggers: [], codes: [] };
let now = input.now * 1000;
const context = vm.createContext({ console: { warn: (text) => out.warnings.push(text) }, clock: () => now });
vm.runInContext('Date.now = clock', context);
const date = vm.runInContext('(text) => new Date(text)', context);

const cell = (value) => (value !== null && typeof value === 'object' ? date(value.date) : value);
let cells = input.cells.map((row) => row.map(cell));
let statuses = input.statuses || [];
let afterPost = () => {};
let locked = false;

const sheet = {
  getName: () => '応募者',
  getDataRange: () => ({ getValues: () => cells.map((row) => row.slice()) }),
  getRange: (row, column, rows, columns) => ({
    getValues: () => cells.slice(row - 1, row - 1 + rows).map((r) => r.slice(column - 1, column - 1 + columns)),
    setValue: (value) => { cells[row - 1][column - 1] = value; },
  }),
};
const spreadsheet = { getSheetByName: (name) => (name === '応募者' ? sheet : null) };

const pad = (n) => String(n).padStart(2, '0');
Object.assign(context, {
  SpreadsheetApp: { getActive: () => spreadsheet, flush: () => {} },
  LockService: { getDocumentLock: () => ({ tryLock: () => !locked, releaseLock: () => {} }) },
  PropertiesService: { getScriptProperties: () => ({ getProperty: (name) => ({ ENDPOINT: 'https://relay.example.jp/hooks/acme/sheet', SECRET: input.secret })[name] || null }) },
  ScriptApp: {
    getProjectTriggers: () => out.triggers.map((name) => ({ getHandlerFunction: () => name })),
    deleteTrigger: (trigger) => out.triggers.splice(out.triggers.indexOf(trigger.getHandlerFunction()), 1),
    newTrigger: (name) => {
      const made = { create: () => out.triggers.push(name) };
      return { forSpreadsheet: () => ({ onEdit: () => made }), timeBased: () => ({ everyMinutes: () => made }) };
    },
  },
  Utilities: {
    Charset: { UTF_8: 'utf8' },
    // Google gives signed bytes, and without the charset loses what is not ASCII.
    computeHmacSha256Signature: (text, key, charset) => {
      const plain = charset === 'utf8' ? text : text.replace(/[^\x00-\x7f]/g, '?');
      return Array.from(crypto.createHmac('sha256', key).update(plain, 'utf8').digest(), (b) => (b > 127 ? b - 256 : b));
    },
    formatDate: (value, zone, form) => {
      const t = new Date(value.getTime() + 9 * 3600 * 1000);
      const day = t.getUTCFullYear() + '-' + pad(t.getUTCMonth() + 1) + '-' + pad(t.getUTCDate());
      const clock = pad(t.getUTCHours()) + ':' + pad(t.getUTCMinutes()) + ':' + pad(t.getUTCSeconds());
      return { 'HH:mm:ss': clock, 'yyyy-MM-dd': day, "yyyy-MM-dd'T'HH:mm:ssXXX": day + 'T' + clock + '+09:00' }[form];
    },
  },
  UrlFetchApp: {
    fetch: (url, options) => {
      out.posts.push({ url: url, type: options.contentType, body: options.payload, signature: options.headers['X-Webhook-Signature'], follows: options.followRedirects });
      now += 1000;
      afterPost();
      return { getResponseCode: () => (statuses.length ? statuses.shift() : 200) };
    },
  },
});
vm.runInContext(fs.readFileSync(path.join(__dirname, '..', 'Code.gs'), 'utf8'), context, { filename: 'Code.gs' });

const steps = {
  run: (name) => {
    try {
      context[name]({ range: { getSheet: () => sheet } });
    } catch (e) {
      out.errors.push(e.message);
    }
  },
  sign: (time, body) => out.codes.push(context.sign_(input.secret, time, body)),
  set: (row, column, value) => { cells[row][column] = cell(value); },
  add: (row) => cells.push(row.map(cell)),
  answer: (...codes) => { statuses = codes; },
  lock: (on) => { locked = on; },
  pass: (seconds) => { now += seconds * 1000; },
  reverseAfterPost: () => { afterPost = () => { cells = [cells[0]].concat(cells.slice(1).reverse()); afterPost = () => {}; }; },
  slow: (seconds) => { afterPost = () => { now += seconds * 1000; }; },
};
input.steps.forEach(([name, ...args]) => steps[name](...args));
out.cells = cells;
process.stdout.write(JSON.stringify(out));
