# Eight workers claim, begin, deliver and complete, while workers and the server are killed and customers withdraw their
# consent. A delivery is a line in a file. In the end nothing is lost, nothing was delivered twice or after a withdrawal,
# and unknown is exactly what was cut between begin and complete.
#
# CRM_OUTBOX_ROUNDS   how often the server is killed (default 4)
# CRM_SEED            repeats the choices, not the timing
use strict;
use warnings;

use Fcntl qw(O_APPEND O_CREAT O_WRONLY);
use IO::Handle;
use IPC::Open2;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use POSIX ();
use Test::More;
use Time::HiRes qw(usleep);
use CrmTest;

my $rounds = $ENV{CRM_OUTBOX_ROUNDS} // 4;
my $workers = 8;
my $customers = 700 * $rounds;
my $lease = 1.5;
my $dir = PostgreSQL::Test::Utils::tempdir();
my $seed = seed();

my $node = new_server('outbox');
$node->append_conf('postgresql.conf', "restart_after_crash = off\nmax_wal_size = 64MB\n");
$node->restart;
new_database($node, 'outbox');
$node->safe_psql('outbox', <<SQL, extra_params => [ '-U', 'crm_owner' ]);
INSERT INTO crm.customer (name, country) SELECT 'C' || n, 'DE' FROM generate_series(1, $customers) AS n;
INSERT INTO crm.contact_point (customer_id, channel, address) SELECT customer_id, 'email', 'c' || customer_id || '\@example.org' FROM crm.customer;
INSERT INTO crm.consent (customer_id, channel, purpose, status) SELECT customer_id, 'email', 'marketing', 'granted' FROM crm.customer;
INSERT INTO crm.message (customer_id, channel, purpose, body) SELECT customer_id, 'email', 'marketing', 'offer' FROM crm.customer;
INSERT INTO crm.message (customer_id, channel, purpose, body) SELECT customer_id, 'email', 'marketing', 'and another' FROM crm.customer;
SQL

# The same by a call for each batch.
sub work_batch
{
	my ($ask, $note, $post, @claimed) = @_;
	my (@ids, %token);
	for (@claimed)
	{
		my ($id, $token) = /^(\d+) (\d+) \d+$/ or do { $note->('error', $_); return };
		push @ids, $id;
		$token{$id} = $token;
	}
	usleep(1e6 * ($lease + 0.3)) if rand() < 0.004;
	$note->('beginning', $_, $token{$_}) for @ids;
	my $batch = sub { return sprintf("'{%s}', '{%s}'", join(',', @_), join(',', map { $token{$_} } @_)) };
	my $begun = $ask->("SELECT message_id, begun, coalesce(refusal, '-'), coalesce(detail, '-') FROM crm.begin_sends(" . $batch->(@ids) . ')') or return;
	@ids = ();
	for (@$begun)
	{
		my ($id, $yes, $refusal, $detail) = /^(\d+) ([tf]) (\S+) (.*)$/ or do { $note->('error', $_); return };
		push @ids, $id if $yes eq 't';
		$note->($yes eq 't' ? 'begun' : 'refused', $id, $token{$id});
		$note->('error', $_) if $yes eq 'f' && $refusal !~ /^message_(?:lease|consent)$/;
	}
	for my $id (@ids)
	{
		usleep(rand(4000));
		syswrite $post, "$id $token{$id}\n";
		$post->sync;
	}
	return unless @ids;
	usleep(1e6 * ($lease + 0.3)) if rand() < 0.004;
	usleep(rand(4000));
	$note->('completing', $_, $token{$_}) for @ids;
	my $completed = $ask->('SELECT message_id, interaction_id IS NOT NULL FROM crm.complete_messages(' . $batch->(@ids) . ')') or return;
	for (@$completed)
	{
		my ($id, $yes) = /^(\d+) ([tf])$/ or do { $note->('error', $_); return };
		$note->($yes eq 't' ? 'completed' : 'late', $id, $token{$id});
	}
	return;
}

# A worker is a process of its own with a psql that it talks to. What it does it notes in a journal before and after.
sub work
{
	my ($number) = @_;
	srand($seed + $number);
	open my $journal, '>>', "$dir/journal.$number" or POSIX::_exit(1);
	sysopen my $post, "$dir/delivered", O_WRONLY | O_APPEND | O_CREAT or POSIX::_exit(1);
	my ($pid, $from, $to);

	# The lines of the answer, errors too; undefined when the connection is lost.
	my $ask = sub {
		my ($sql) = @_;
		if (!$pid)
		{
			return if -e "$dir/down";
			$pid = open2($from, $to, "psql -X -q -A -t -F ' ' -h " . $node->host . ' -p ' . $node->port . " -U crm_owner -d outbox 2>&1");
		}
		print $to "$sql;\n\\echo .\n";
		$to->flush;
		my @lines;
		while (defined(my $line = <$from>))
		{
			chomp $line;
			return \@lines if $line eq '.';
			# The server's last words, before or after the answer.
			push @lines, $line unless $line =~ /FATAL:  terminating connection|^server closed the connection|^\t?(This probably means|before or while)|^connection to server was lost/;
		}
		close $_ for $from, $to;
		waitpid $pid, 0;
		undef $pid;
		return;
	};
	my $note = sub { syswrite $journal, "@_\n" };
	local $SIG{PIPE} = 'IGNORE';

	until (-e "$dir/stop")
	{
		my $claimed = $ask->(sprintf("SELECT message_id, token, customer_id FROM crm.claim_messages('{email}', %d, '$lease seconds', 'w$number')", 1 + rand(4)));
		if (!$claimed || !@$claimed)
		{
			usleep(50_000);
			next;
		}
		if (rand() < 0.5)
		{
			work_batch($ask, $note, $post, @$claimed);
			next;
		}
		for (@$claimed)
		{
			my ($id, $token) = /^(\d+) (\d+) \d+$/ or do { $note->('error', $_); next };
			usleep(1e6 * ($lease + 0.3)) if rand() < 0.004;
			$note->('beginning', $id, $token);
			my $begun = $ask->("SELECT crm.begin_send($id, $token)") or last;
			if ("@$begun" ne 't')
			{
				# Lost leases and withdrawals are what may come.
				$note->('error', @$begun) unless "@$begun" =~ /lease of message $id is lost|message $id is being changed by another session|no permission/;
				$note->('refused', $id, $token);
				$ask->("SELECT crm.fail_message($id, $token, 'refused')") if "@$begun" =~ /no permission/;
				next;
			}
			$note->('begun', $id, $token);
			usleep(rand(4000));
			syswrite $post, "$id $token\n";
			$post->sync;
			usleep(1e6 * ($lease + 0.3)) if rand() < 0.004;
			usleep(rand(4000));
			$note->('completing', $id, $token);
			my $completed = $ask->("SELECT crm.complete_message($id, $token) > 0") or last;
			$note->(("@$completed" eq 't' ? 'completed' : "@$completed" =~ /lease of message $id is lost/ ? 'late' : "error @$completed"), $id, $token);
		}
	}
	POSIX::_exit(0);
}

my (%running, $started);
sub start_worker
{
	my $number = ++$started;
	my $pid = fork() // die "fork: $!";
	work($number) if $pid == 0;
	$running{$pid} = 1;
	return;
}
start_worker() for 1 .. $workers;

my $killed = 0;
for my $round (1 .. $rounds)
{
	my $until = Time::HiRes::time() + 1.5 + rand(1.5);
	while (Time::HiRes::time() < $until)
	{
		usleep(150_000);
		if (rand() < 0.5)
		{
			my @pids = keys %running;
			my $pid = $pids[ int(rand(@pids)) ];
			kill 'KILL', $pid;
			waitpid $pid, 0;
			delete $running{$pid};
			$killed++;
			start_worker();
		}
		$node->psql('outbox', "INSERT INTO crm.consent (customer_id, channel, purpose, status) SELECT c, 'email', 'marketing', 'withdrawn' "
			  . "FROM (SELECT DISTINCT 1 + floor(random() * $customers)::bigint AS c FROM generate_series(1, 5)) AS c ORDER BY c",
			extra_params => [ '-U', 'crm_owner' ]);
	}
	append_to_file("$dir/down", '');
	$node->kill9;
	my $up = 0;
	for (1 .. 100)
	{
		last if $up = $node->start(fail_ok => 1);
		$node->{_pid} = undef;		# the dead one's, read from its file
		usleep(100_000);
	}
	unlink "$dir/down";
	ok($up, "round $round: the server comes back") or last;
}

# What is left is worked off; the leases of the dead run out.
my $left = 1;
my $patience = Time::HiRes::time() + 60 + 20 * $rounds;
while ($left && Time::HiRes::time() < $patience)
{
	usleep(300_000);
	# What was refused waits for its retry; here nobody has the time.
	$left = $node->safe_psql('outbox', "UPDATE crm.message SET not_before = now(), refusal = 'test' WHERE status = 'ready' AND not_before > now(); "
		  . "SELECT count(*) FROM crm.message WHERE status IN ('ready', 'leased', 'sending')", extra_params => [ '-v', 'ON_ERROR_STOP=0' ]);
}
append_to_file("$dir/stop", '');
waitpid $_, 0 for keys %running;
is($left, 0, 'everything comes to an end');

# What was noted, and what is there.
my (%noted, @errors, %deliveries);
for my $number (1 .. $started)
{
	for (split /\n/, slurp_file("$dir/journal.$number"))
	{
		if (/^(\w+) (\d+) (\d+)$/) { $noted{$1}{$2}{$3} = 1 }
		else { push @errors, $_ }
	}
}
for (split /\n/, slurp_file("$dir/delivered"))
{
	my ($id, $token) = split / /;
	$deliveries{$id}++;
}
my (%status, %token, %interactions);
for (split /\n/, $node->safe_psql('outbox', 'SELECT m.message_id, m.status, m.token, (SELECT count(*) FROM crm.interaction AS i WHERE i.message_id = m.message_id) FROM crm.message AS m'))
{
	my ($id, $status, $token, $interactions) = split /\|/;
	($status{$id}, $token{$id}, $interactions{$id}) = ($status, $token, $interactions);
}
my %count;
$count{$_}++ for values %status;
note(join ', ', "$killed workers killed", "$rounds times the server", map { "$count{$_} $_" } sort keys %count);
sub of { my ($state) = @_; return grep { $status{$_} eq $state } keys %status }

is(join("\n", @errors), '', 'no unexpected error');
is(join(' ', grep { !/^(sent|unknown|cancelled)$/ } keys %count), '', 'everything is sent, unknown or cancelled');
is(join(' ', grep { $deliveries{$_} > 1 } keys %deliveries), '', 'nothing was delivered twice');
is(join(' ', grep { !$deliveries{$_} } of('sent')), '', 'what is sent was delivered: nothing is lost');
is(join(' ', grep { $deliveries{$_} } of('cancelled')), '', 'what was cancelled was not');
is(join(' ', grep { $interactions{$_} != ($status{$_} eq 'sent') } keys %status), '', 'what is sent, and nothing else, has its interaction');
is(join(' ', grep { $status{$_} ne 'sent' } keys %{ $noted{completed} }), '', 'what was acknowledged as complete is sent');
is(join(' ', grep { $status{$_} ne 'unknown' } keys %{ $noted{late} }), '', 'what was completed after the lease was lost is not');
# Between begin and complete: begun, and not asked to be completed, or not in time.
is(join(' ', grep { $status{$_} ne 'unknown' && !$noted{completing}{$_} } keys %{ $noted{begun} }), '', 'what was cut between begin and complete is unknown');
# Of what was asked and not answered, the server alone knows whether it was done.
is(join(' ', grep { my $t = $token{$_}; !$noted{beginning}{$_}{$t} || $noted{refused}{$_}{$t} || $noted{completed}{$_} } of('unknown')), '', 'and nothing else is');
is($node->safe_psql('outbox', <<'SQL'), '', 'nothing was begun after a withdrawal');
SELECT m.message_id FROM crm.message AS m JOIN crm.consent AS k ON k.customer_id = m.customer_id AND k.status = 'withdrawn'
WHERE m.begun_at > k.recorded_at
SQL
is($node->safe_psql('outbox', "SELECT count(*) FROM crm.message AS m LEFT JOIN crm.consent AS k USING (consent_id) WHERE k.status IS DISTINCT FROM 'granted' OR k.customer_id <> m.customer_id"),
	'0', 'every message refers to the consent that it used');
is_clean($node, 'outbox', 'afterwards');
cmp_ok(scalar(of('sent')), '>', $customers / 2, 'there was something to lose');
cmp_ok(scalar(of('unknown')), '>', 0, 'and something was cut');
cmp_ok(scalar(of('cancelled')), '>', 0, 'and something withdrawn');
cmp_ok(scalar(keys %{ $noted{refused} // {} }), '>', 0, 'and some were too slow');
$node->stop;
done_testing();
