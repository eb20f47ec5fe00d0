package record

// Restored tells what a restore did besides putting the backup in place.
type Restored struct {
	Replaced  string `json:"replaced,omitempty"` // the file that the database before it became
	Carried   bool   `json:"carried"`            // the database before it could be read, and what it knew was kept
	Erased    int    `json:"erased"`             // people who were erased since the backup
	Settled   int    `json:"settled"`            // mails that left or ended since the backup
	Stopped   int    `json:"stopped"`            // mails that now wait for a person
	Unclear   int    `json:"unclear"`            // mails that were being sent at the moment of the backup
	Referrals int    `json:"referrals"`          // hand-overs that a person must retry
}
