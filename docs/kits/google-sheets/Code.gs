/**
 * 採用管理のスプレッドシートから、選考の結果をキャリアリレーに伝えます。
 *
 * 使い方は README.md にあります。スクリプト プロパティに ENDPOINT と SECRET を入れ、
 * setUp を一度だけ実行してください。
 */

/** シートと列の名前。自社のシートに合わせて書き換えます。空文字の列は使いません。 */
const SHEET = '応募者';
const COLUMNS = {
  outcome: '選考結果', // 必須
  told: 'キャリアリレー', // 必須。伝えた結果をこのスクリプトが書く列
  application_id: '応募ID',
  name: '氏名',
  kana: 'ふりがな',
  email: 'メールアドレス',
  job_title: '応募職種',
  stage: '選考段階',
  channel: '応募経路',
  consent: '紹介同意',
  ended_at: '選考終了日',
};

/** この言葉を含む結果で選考が終わったとみなします。意味は受け取る側が決めます。 */
const ENDED = /不採用|不合格|見送|落選|辞退|採用|内定|入社|クローズ|充足|NG/i;

/** 一回の見回りの長さ。Google の上限は 6 分です。 */
const LONGEST = 4 * 60 * 1000;

/** 一度だけ実行します。いま入っている結果は「伝えた」ことにして、過去の分が送られないようにします。 */
function setUp() {
  const table = open_();
  table.rows.forEach((row) => {
    if (table.get(row, 'outcome') !== '' && table.get(row, 'told') === '') table.tell(row, table.get(row, 'outcome'));
  });
  ScriptApp.getProjectTriggers()
    .filter((trigger) => ['onSheetEdit', 'sweep'].indexOf(trigger.getHandlerFunction()) >= 0)
    .forEach((trigger) => ScriptApp.deleteTrigger(trigger));
  ScriptApp.newTrigger('onSheetEdit').forSpreadsheet(SpreadsheetApp.getActive()).onEdit().create();
  ScriptApp.newTrigger('sweep').timeBased().everyMinutes(10).create();
  check_(post_({ event: 'ping' }));
}

/** 手で編集されたとき。貼り付けは一度に何行も変えるので、いつもシート全体を見ます。 */
function onSheetEdit(e) {
  if (e.range.getSheet().getName() === SHEET) sweep();
}

/** 10 分ごと。ほかのスクリプトや API が書いた結果では、編集の合図が来ないためです。 */
function sweep() {
  const lock = LockService.getDocumentLock();
  if (!lock.tryLock(20000)) return; // 別の見回りが動いている
  try {
    const until = Date.now() + LONGEST;
    const table = open_();
    for (const row of table.rows) {
      if (Date.now() > until) return; // 続きは次の見回りで
      const body = news_(table, row);
      if (body === null) continue;
      check_(post_(body));
      table.tell(row, table.get(row, 'outcome'));
    }
  } finally {
    lock.releaseLock();
  }
}

/** 伝えることがあれば、その内容。伝えた結果と同じなら null。 */
function news_(table, row) {
  const outcome = table.get(row, 'outcome');
  const told = table.get(row, 'told');
  if (outcome === told || (told === '' && !ENDED.test(outcome))) return null;
  const id = table.get(row, 'application_id');
  if (id === '' && table.get(row, 'email') === '') {
    console.warn('応募ID もメールアドレスもない行があります: ' + row.number + ' 行目');
    return null;
  }
  if (!ENDED.test(outcome)) {
    return { event: 'candidate.reopened', application_id: id, email: table.get(row, 'email'), job_title: table.get(row, 'job_title') };
  }
  const body = { event: 'candidate.updated', outcome: outcome };
  Object.keys(COLUMNS).forEach((name) => {
    if (name !== 'outcome' && name !== 'told') body[name] = table.get(row, name);
  });
  return body;
}

/** シートを読みます。行番号は並べ替えで変わるので、書く前に同じ行か確かめます。 */
function open_() {
  const sheet = SpreadsheetApp.getActive().getSheetByName(SHEET);
  if (!sheet) throw new Error('シートがありません: ' + SHEET);
  const values = sheet.getDataRange().getValues();
  const head = values[0].map((cell) => String(cell).trim());
  const at = {};
  Object.keys(COLUMNS).forEach((name) => {
    at[name] = COLUMNS[name] === '' ? -1 : head.indexOf(COLUMNS[name]);
    if (at[name] < 0 && (name === 'outcome' || name === 'told')) throw new Error('列がありません: ' + COLUMNS[name]);
  });
  if (at.application_id < 0 && at.email < 0) throw new Error('応募ID かメールアドレスの列が必要です');
  const get = (row, name) => (at[name] < 0 ? '' : text_(row.cells[at[name]]));
  const keys = ['application_id', 'email', 'outcome', 'told'];
  return {
    rows: values.slice(1).map((cells, i) => ({ cells: cells, number: i + 2 })),
    get: get,
    tell: (row, outcome) => {
      const now = { cells: sheet.getRange(row.number, 1, 1, head.length).getValues()[0] };
      if (keys.some((name) => get(now, name) !== get(row, name))) return; // 動いた行は、次の見回りでもう一度伝わる
      sheet.getRange(row.number, at.told + 1).setValue(outcome);
      SpreadsheetApp.flush();
    },
  };
}

/** セルの文字。日付は日本時間で、時刻のないものは日付だけにします。 */
function text_(cell) {
  if (!(cell instanceof Date)) return String(cell).trim();
  const at = (form) => Utilities.formatDate(cell, 'Asia/Tokyo', form);
  return at('HH:mm:ss') === '00:00:00' ? at('yyyy-MM-dd') : at("yyyy-MM-dd'T'HH:mm:ssXXX");
}

/** 署名を付けて送り、応答の番号を返します。 */
function post_(body) {
  const properties = PropertiesService.getScriptProperties();
  const secret = properties.getProperty('SECRET');
  const endpoint = properties.getProperty('ENDPOINT');
  if (!secret || !endpoint) throw new Error('スクリプト プロパティに ENDPOINT と SECRET を入れてください');
  const time = String(Math.floor(Date.now() / 1000));
  const text = ascii_(JSON.stringify(body));
  return UrlFetchApp.fetch(endpoint, {
    method: 'post',
    contentType: 'application/json',
    payload: text,
    headers: { 'X-Webhook-Signature': 't=' + time + ',v1=' + sign_(secret, time, text) },
    muteHttpExceptions: true,
    followRedirects: false,
  }).getResponseCode();
}

/** 受け取られなければ止まります。スクリプトの持ち主に、Google から失敗のメールが届きます。 */
function check_(status) {
  if (status >= 200 && status < 300) return;
  const why = { 401: 'SECRET が違います', 404: 'ENDPOINT の会社名か接続名が違います', 503: 'いまは受け取れません。次の見回りでもう一度送ります' };
  throw new Error('受け取られませんでした (' + status + '): ' + (why[status] || 'README.md の「うまくいかないとき」を見てください'));
}

/** ASCII だけにします。署名するものと送るものが、文字コードで食い違わないようにするためです。 */
function ascii_(json) {
  return json.replace(/[\u007f-\uffff]/g, (c) => '\\u' + ('000' + c.charCodeAt(0).toString(16)).slice(-4));
}

/** HMAC-SHA256 を 16 進で。バイトは符号つきで返るので & 0xff が、文字コードは Charset.UTF_8 が要ります。 */
function sign_(secret, time, text) {
  return Utilities.computeHmacSha256Signature(time + '.' + text, secret, Utilities.Charset.UTF_8)
    .map((byte) => ('0' + (byte & 0xff).toString(16)).slice(-2))
    .join('');
}
